"""Samples to where somebody speaks.

- ``vad``: speech by Silero's network or by energy
- ``activity``: speech and overlapped speech by the bundled network
- ``segmentation``: the same by a third-party ONNX network
- ``windows``: windows over speech, and turns from their labels
- ``channels``, ``crosstalk``, ``channel_options``: one speaker a channel
"""
