"""How far a result is from the truth.

- ``der``: diarization error rate and Jaccard error rate
- ``inputs``: turns and regions by recording, from files or objects
- ``clusterings``: misclassification rate, purities, ARI, V, NMI of labelled utterances
- ``verification``: equal error rate
"""
