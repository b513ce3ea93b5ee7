"""Statistical models of speakers.

- ``plda``: the two-covariance model of embeddings, a model's back end
- ``number``: the number of speakers by the evidence of this model
"""
