"""How a network is trained: one loop, given a sampler and an objective.

- ``loop``: the training loop; ``contract``: what it asks of batches, samplers and objectives
- ``embedding_training``, ``activity_training``: the trainings of the package's networks by that loop
- ``objectives``: what is minimised, by name; ``embedding_objective``, ``speaker_objectives``, ``losses``
- ``packed``, ``samplers``: packed features, batches of segments
- ``augment``, ``sounds``, ``conversations``: noise, rooms, masks; simulated conversations
- ``optimizers``, ``checkpoints``, ``torchrun``: learning rates, averages; going on; several processes
"""
