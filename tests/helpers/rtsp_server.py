"""A camera in the network: an RTSP server, by GStreamer.

    python3 tests/helpers/rtsp_server.py PORT PIPELINE

Whoever asks for ``rtsp://127.0.0.1:PORT/live`` gets what the pipeline, in the words of
gst-launch, gives to its element ``pay0``. It takes the Python of the system with
GStreamer's bindings, on Debian ``gir1.2-gst-rtsp-server-1.0``, ``python3-gi``,
``gstreamer1.0-plugins-good`` and, for H.264, ``gstreamer1.0-plugins-bad``.
"""

import sys

import gi

gi.require_version('Gst', '1.0')
gi.require_version('GstRtspServer', '1.0')
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def serve(port: str, pipeline: str) -> None:
    """Serve until the process is killed."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer(address='127.0.0.1', service=port)
    factory = GstRtspServer.RTSPMediaFactory(launch=f'( {pipeline} )', shared=True)
    server.get_mount_points().add_factory('/live', factory)
    if not server.attach(None):
        sys.exit(f'port {port} is taken')
    GLib.MainLoop().run()


if __name__ == '__main__':
    serve(*sys.argv[1:])
