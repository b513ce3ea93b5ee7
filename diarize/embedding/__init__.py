"""Speech to embeddings.

- ``embedder``: embeddings of windows of a recording
- ``table``: `Embeddings`, a table that is read and written
- ``encoders``: the encoder of a model: ``running`` (once over the recording) or ``separate`` (window by
  window); the latter for ``onnx`` files, ``campplus`` and ``resemblyzer``; ``protocol`` and ``stream`` are
  what they share
- ``models``, ``catalog``: model folders, and the list of models
"""
