"""Files of containers with times of any kind."""

import av
import numpy as np
import soxr

from diarize.audio import SAMPLE_RATE


def write_container(path, samples, codec, move, video_begins=None, rate=16000, options=None):
    """A file whose packets have the times that `move` makes of theirs; with pictures from a time on."""
    with av.open(str(path), "w", options=options or {}) as container:
        pictures = None
        if video_begins is not None:
            pictures = container.add_stream("mpeg4", rate=5)
            pictures.width = pictures.height = 32
            pictures.pix_fmt = "yuv420p"
        stream = container.add_stream(codec, rate=rate, layout="mono")
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate)
        samples = soxr.resample(samples, SAMPLE_RATE, rate)
        packets = []
        for start in range(0, len(samples), 1000):
            piece = np.ascontiguousarray(samples[None, start : start + 1000])
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, start
            for converted in resampler.resample(frame):
                packets += stream.encode(converted)
        packets += stream.encode(None)
        for packet in packets:
            shift = round(
                (move(packet.pts * packet.time_base) - packet.pts * packet.time_base) / packet.time_base
            )
            packet.pts, packet.dts = packet.pts + shift, packet.pts + shift
        if pictures is not None:
            for i in range(20):
                picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
                picture.pts = i
                for packet in pictures.encode(picture):
                    packet.pts = packet.dts = packet.pts + round(video_begins / packet.time_base)
                    packets.append(packet)
            packets += pictures.encode(None)
        for packet in sorted(packets, key=lambda p: (p.dts or 0) * (p.time_base or 0)):
            container.mux(packet)
    return path
