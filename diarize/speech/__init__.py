"""Samples to where somebody speaks.

- ``detect``: where somebody speaks, by any detector
- ``silero``, ``energy``: probabilities of speech
- ``hysteresis``: probabilities to segments
- ``activity``: speech and overlapped speech by the bundled network
- ``segmentation``: the same by a third-party ONNX network
- ``windows``: windows over speech
- ``channels``, ``crosstalk``, ``channel_options``: one speaker a channel
"""
