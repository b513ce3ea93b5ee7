"""Speech detection: samples to segments of speech and overlap.

- ``detect``: `hear`, speech and overlap by any detector
- ``silero``: probabilities of speech by Silero's network
- ``energy``: scores of loud sound, without a network
- ``hysteresis``: probabilities to segments
- ``activity``: speech and overlap by the bundled network
- ``segmentation``: speech and overlap by a third-party ONNX network
- ``windows``: windows over speech
- ``channels``: the speech of each channel, if each channel is one speaker
- ``crosstalk``: cross-talk between such channels
- ``channel_options``: checks of the options and names of such channels
"""
