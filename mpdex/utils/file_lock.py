"""A lock on an open file that the system takes back when its holder dies, however it dies."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import msvcrt
    import os

    # Bytes far behind the content, so that others can read who holds it.
    _FAR = 1 << 30

    def lock_file(fd: int) -> bool | None:
        """True: it is ours now. False: somebody else's. None: this file system has no locks."""
        os.lseek(fd, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        except OSError:
            return None
        finally:
            os.lseek(fd, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def lock_file(fd: int) -> bool | None:
        """True: it is ours now. False: somebody else's. None: this file system has no locks."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return None
        return True
