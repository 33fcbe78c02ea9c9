"""The error for input that cannot be used, and system errors that users can fix."""

import errno

#: Errors of a full disk, a quota, and a folder that may not be written to.
UNWRITABLE = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM
)  # fmt: skip


class InputError(ValueError):
    """A video, a model or an option cannot be used; says why and what to change.

    The command-line tools print it and exit with code 2.
    """
