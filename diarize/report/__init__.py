"""Figures of a training and of its embeddings, and one HTML file with all of them.

- ``style``: the style of figures; SVG and PNG
- ``curves``: curves of a training, and results over a parameter
- ``figures``: t-SNE, similarities, dendrogram and saliency
- ``page``: figures as one HTML file
- ``training_page``: the report of a training
"""

from diarize.machine.quiet_imports import import_matplotlib

import_matplotlib()
