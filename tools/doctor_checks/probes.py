"""What ``ifdd doctor`` runs in processes of their own, and how it asks them.

Each probe is a program that sets ``facts``; it may end in any error, or crash.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

SECONDS = 300
MARK = 'facts of the probe: '
#: Module: the name of its check, the distribution to install, and, if the package works
#: without it, what needs it.
MODULES = {
    'numpy': ('numpy', 'numpy', ''),
    'torch': ('torch', 'torch', ''),
    'cv2': ('opencv', 'opencv-python-headless', ''),
    'mmengine': ('mmengine', 'mmengine', ''),
    'mmcv': ('mmcv', 'mmcv-lite', ''),
    'mmaction': ('mmaction2', 'mmaction2', ''),
    'av': ('pyav', 'av', ''),
    'decord': ('decord', 'decord', "only MMAction2's own DecordInit needs it"),
}
#: Around each probe: its error in one line, and the module in which it arose.
FRAME = """
import json, sys, traceback
from importlib.util import find_spec
sys.path = [entry for entry in sys.path if entry]  # not the current folder
try:
    import ifdd_bundled  # a clone on PYTHONPATH has no .pth file that does it
except ImportError:
    pass
facts = {}
try:
    exec(PROBE, {'facts': facts})
except BaseException as error:
    while isinstance(error, ImportError) and error.__cause__ is not None:
        error = error.__cause__  # our own errors say what the first one means
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = type(error).__name__ + ': ' + (lines or ['no message'])[-1]
    facts['error'] = said[:400]
    frames = (f.f_globals.get('__name__') or '' for f, _ in
              traceback.walk_tb(error.__traceback__))
    names = [name.partition('.')[0] for name in frames]
    names = [name for name in names if name not in ('__main__', 'builtins', '')
             and name not in sys.stdlib_module_names]
    facts['where'] = names[-1] if names else ''
print('\\n' + MARK + json.dumps(facts), flush=True)
"""
#: The probe of each check.
PROBES = {
    'numpy': """
import numpy
facts['version'] = numpy.__version__
numpy.linalg.inv(numpy.eye(2))
""",
    'torch': """
import torch
import numpy
facts['version'] = torch.__version__
torch.from_numpy(numpy.zeros(2)).sum().numpy()
""",
    'cv2': """
import cv2
import numpy
facts['version'] = cv2.__version__
cv2.imdecode(cv2.imencode('.png', numpy.zeros((8, 8, 3), numpy.uint8))[1], 1)
""",
    'mmengine': """
import mmengine
facts['version'], facts['file'] = mmengine.__version__, mmengine.__file__
""",
    'mmcv': """
from importlib.util import find_spec
spec = find_spec('mmcv')
if spec is not None and spec.origin is None:
    raise ImportError(
        'a folder without __init__.py is left of another installation: '
        + ', '.join(spec.submodule_search_locations)
    )
import mmcv
facts['version'], facts['file'] = mmcv.__version__, mmcv.__file__
if find_spec('mmcv._ext'):
    facts['more'] = ', full'
    import torch
    facts['torch'] = torch.__version__
    try:
        import mmcv._ext
    except ImportError as error:
        facts['operators'] = ' '.join(str(error).split())
else:
    facts['more'] = ', lite: without compiled operators'
""",
    # The package corrects MMAction2 so that it can be imported.
    'mmaction': """
from importlib.util import find_spec
spec = find_spec('mmaction')
if spec is None:
    raise ModuleNotFoundError("No module named 'mmaction'")
facts['file'] = spec.origin
version = {}
with open(spec.origin.replace('__init__', 'version')) as file:
    exec(file.read(), version)
facts['version'] = version['__version__']
""",
    'av': """
import av
facts['version'] = av.__version__
codec = '.'.join(map(str, av.library_versions['libavcodec']))
release = getattr(av, 'ffmpeg_version_info', '')
facts['more'] = f', FFmpeg {release} (libavcodec {codec})'
""",
    'decord': """
import decord
facts['version'] = decord.__version__
""",
    'ifdd_mmaction': """
import ifdd_mmaction
facts['version'] = ifdd_mmaction.__version__
facts['place'] = ifdd_mmaction.__path__[0]
""",
    'video decoder': """
try:
    import ifdd_mmaction
except BaseException:
    facts['skipped'] = True
else:
    from ifdd_mmaction.decoding.choose import describe
    facts['found'] = describe()
""",
    'jpeg decoder': """
from importlib.util import find_spec
if find_spec('simplejpeg'):
    import numpy, simplejpeg
    image = numpy.zeros((8, 8, 3), numpy.uint8)
    simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(image))
    facts['found'] = 'simplejpeg ' + getattr(simplejpeg, '__version__', '')
else:
    try:
        import cv2
    except BaseException:
        facts['skipped'] = True
    else:
        facts['found'] = f'OpenCV {cv2.__version__}; the extra `fast` is not installed'
""",
    'gpu': """
try:
    import torch
except BaseException:
    facts['skipped'] = True
else:
    facts['build'] = torch.version.cuda or getattr(torch.version, 'hip', None) or ''
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    facts['devices'] = [torch.cuda.get_device_name(i) for i in range(count)]
    for i in range(count):
        ones = torch.ones(8, 8, device=f'cuda:{i}')
        ones.mm(ones).cpu()
""",
    'torch.compile': """
try:
    import torch
except BaseException:
    facts['skipped'] = True
else:
    facts['gpu'], facts['found'] = torch.cuda.is_available(), ''
    torch.compile(lambda x: x, backend='eager')(torch.ones(1))
    if facts['gpu']:
        import triton
        facts['found'] = f'triton {triton.__version__}'
""",
}


def ask(probe: str) -> tuple[dict[str, Any], str]:
    """Run a probe in a process of its own.

    Returns:
        What it found, and its error in one line, empty if there is none.
    """
    program = f'PROBE, MARK = {probe!r}, {MARK!r}\n{FRAME}'
    # Nothing is read from a terminal, and no message is in another language.
    environment = {**os.environ, 'LC_ALL': 'C.UTF-8', 'PYTHONIOENCODING': 'utf-8'}
    try:
        result = subprocess.run(
            [sys.executable, '-W', 'ignore', '-c', program],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding='utf-8',
            errors='replace',
            env=environment,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {}, f'it does not end within {SECONDS} seconds'
    _, mark, last = result.stdout.rpartition(MARK)
    if mark:
        facts = json.loads(last.splitlines()[0])
        return facts, facts.pop('error', '')
    code = result.returncode
    lines = result.stderr.strip().splitlines() or ['no message']
    if code < 0:
        return {}, f'it crashes with {signal.Signals(-code).name}: {lines[-1]}'
    return {}, f'it ends with exit code {code}: {lines[-1]}'
