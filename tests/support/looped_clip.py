"""A real clip, shown again and again, without encoding it anew."""

from pathlib import Path
from typing import Any

import av

__all__ = ["loop_clip"]


def loop_clip(clip: Path, path: Path, times: int) -> Path:
    """Write ``clip`` ``times`` times behind itself."""
    with av.open(str(path), "w") as target:
        stream: Any = None
        for round_number in range(times):
            with av.open(str(clip)) as source:
                video = source.streams.video[0]
                stream = stream or target.add_stream_from_template(video)
                shift = round_number * int(video.duration or 0)
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    target.mux(packet)
    return path
