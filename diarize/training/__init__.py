"""The training of networks: one loop, given a sampler and an objective.

- ``loop``: the training loop
- ``contract``: the interfaces of batches, samplers and objectives
- ``embedding_training``: the training of embedding networks on packed features
- ``activity_training``: the training of the network of speech and overlap on packed conversations
- ``cluster_training``: the training of networks that partition sets of items
- ``sets``: sets of items of a few clusters: points in the plane, or rows of speakers
- ``window_sets``: sets of windows as a conversation has them
- ``set_kinds``: the kinds of sets that a [sets] table names
- ``objectives``: the kinds of [loss] by name
- ``embedding_objective``: a weighted sum of losses on embeddings
- ``speaker_objectives``: losses on the outputs for training speakers
- ``losses``: the losses themselves
- ``optimizers``: settings of a training, its optimizer, learning rate and averaged weights
- ``checkpoints``: the checkpoint and the curve of a training
- ``torchrun``: several processes that train one network
- ``validation``: held-out recordings, and verification of other speakers
- ``verifier``: the scores of known voices, learned and calibrated
- ``packed``: packed features on disk, and segments cut from them
- ``samplers``: batches of random sentences, or of P speakers with K segments each
- ``targets``: embeddings of a teacher, as targets of a distillation
- ``copies``: a recording at other speeds, and augmented
- ``augment``: noise, rooms, telephone, speed, masks
- ``sounds``: synthetic sounds other than speech
- ``conversations``: conversations with known turns from clips of single speakers
- ``conversation_set``: such conversations as recordings to score on
- ``simulator``: such conversations to train the network of speech and overlap on
"""
