"""Scores of a result against a reference.

- ``der``: diarization error rate and Jaccard error rate
- ``regions``: where the errors are
- ``inputs``: turns and regions by recording, from files or objects
- ``clusterings``: misclassification rates, purities, ARI, V, NMI of labelled utterances
- ``verification``: trials of speaker verification and the equal error rate
"""
