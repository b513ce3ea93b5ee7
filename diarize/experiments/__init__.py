"""Speaker-clustering experiments. The product does not import this package.

A part is a set of utterances that are known to be from one speaker.

- ``speaker_sets``: sets of speakers: lists, splits by hash, data folders with two parts of each speaker
- ``parts``: the parts of a data folder
- ``mfcc_statistics``: mean and standard deviation of MFCC
- ``pitch``: the fundamental frequency
- ``gmm``: Gaussian mixtures: their distances, and likelihoods under many
- ``svm``: the time model: one-class machines over 130 ms of speech
- ``baselines``: systems that train no network
- ``comparison``: cuts of a tree, scored
- ``side_by_side``: clusterers side by side, scored
- ``regimes``: the same for parts of more or less speech
- ``compared_parts``: parts with the distances between them, and the scores of their clusterings
- ``identification``: identification of known speakers
- ``systems``: systems and experiments of a recipe, one TOML file each
- ``runs``: the runs of a recipe
- ``tables``: the tables of a page of results
- ``clusterer_tables``: its tables of clusterers, layers, noise and amount of speech
- ``sweeps``: tables and figures of experiments that vary one setting
- ``set_scores``: scores of networks that partition sets, and their table
"""
