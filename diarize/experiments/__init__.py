"""The speaker-clustering research line. The product does not import it.

- ``gmm``, ``svm``, ``mfcc_statistics``, ``pitch``: speakers without networks; each takes the frames
  (n_frames, dim) of parts, a part being all that is known to be of one voice, and gives the distances of all
  pairs or a vector a part
- ``parts``: parts of speakers as lists
- ``speaker_sets``: which speakers and utterances an experiment has
- ``comparison``: clusterers compared on the embeddings of a training
- ``runs``, ``tables``, ``sweeps``: results of runs, and their tables and figures
"""
