"""The pure core: DICOM values in, findings and DICOM objects out.

A file in this package is a pipeline, a folder is a building block. Nothing here opens a socket, reads a clock, starts a
thread or keeps state; `node` does that.
"""
