"""Pages: figures of a training and of its embeddings in one HTML file, and the page of a recording.

- ``style``: the style of figures; SVG and PNG
- ``curves``: curves of a training, and results over a parameter
- ``figures``: t-SNE, similarities, dendrogram and saliency
- ``page``: figures as one HTML file
- ``training_page``: the report of a training
- ``results``: results of recordings, read and written back
- ``recording_data``, ``evidence``: the data of the page of a recording, its evidence as HTML
- ``recording_page``: the page of a recording
- ``page_sources``: what such pages are made of
- ``server``: the pages on this machine
"""

from diarize.machine.quiet_imports import import_matplotlib

import_matplotlib()
