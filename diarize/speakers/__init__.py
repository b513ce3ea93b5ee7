"""Speakers, statistically.

- ``plda``: the two-covariance model of embeddings
- ``number``: the number of speakers by the evidence of that model
"""
