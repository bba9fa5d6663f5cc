"""Where the bytes of films lie: a folder, or a bucket."""

from pneumoscope.worklist.blobs.local import LocalBlobs
from pneumoscope.worklist.blobs.protocol import BlobStore

__all__ = ["BlobStore", "LocalBlobs"]
