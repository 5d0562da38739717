"""The shell around `pipelines`: sockets, disk, time, the queue and the command line."""

from importlib.metadata import version

__version__ = version("pulmonode")
