"""Speaker clustering before networks: mixtures, one-class machines and plain statistics over MFCC.

Each takes the frames (n_frames, dim) of parts, a part being all that is known to be of one voice, and gives
the distances of all pairs or a vector a part.
"""
