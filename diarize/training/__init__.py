"""How a network is trained.

- ``loop``: the training loop
- ``objectives``, ``losses``: what is minimised
- ``samplers``: batches of segments
- ``augment``, ``sounds``, ``conversations``: noise, rooms, masks; simulated conversations
- ``optimizers``: optimizers, learning rates, averaged weights
"""
