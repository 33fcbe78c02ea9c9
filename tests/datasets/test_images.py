import io
import struct
import zlib

import cv2
import numpy as np
import pytest

from ifdd_mmaction.datasets import DatasetError, images
from ifdd_mmaction.datasets.images import decode_image, image_size, resize_frames
from tests.helpers.golden import load_golden, pick

GOLDEN = load_golden('torchvision')


@pytest.fixture(params=['simplejpeg', 'OpenCV'])
def decoder(request, monkeypatch):
    """Run the test with the decoder of the extra `fast`, and without it."""
    if request.param == 'OpenCV':
        monkeypatch.setattr(images, 'decode_jpeg', None)
    elif images.decode_jpeg is None:
        pytest.skip('simplejpeg is not installed')
    return request.param


def photograph(height=45, width=62):
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.GaussianBlur(noise, (9, 9), 2)


def encode(image, suffix='.jpg', *options):
    return cv2.imencode(suffix, image, list(options))[1].tobytes()


def with_orientation(jpeg, orientation):
    """Put an EXIF segment with the orientation into a JPEG."""
    tag = struct.pack('>HHHIHHI', 1, 0x112, 3, 1, orientation, 0, 0)  # one entry
    exif = b'Exif\0\0MM\0*' + struct.pack('>I', 8) + tag
    return jpeg[:2] + b'\xff\xe1' + struct.pack('>H', len(exif) + 2) + exif + jpeg[2:]


SAMPLING = {
    name: (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, value)
    for name, value in (
        ('4:4:4', cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
        ('4:2:2', cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422),
        ('4:2:0', cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
    )
}
KINDS = {
    **{name: encode(photograph(), '.jpg', *o) for name, o in SAMPLING.items()},
    'progressive': encode(photograph(), '.jpg', cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    'odd size': encode(photograph(17, 33)),
    'gray': encode(photograph()[..., 0]),
    'bytes behind the end': encode(photograph()) + bytes(64),
    'a PNG': encode(photograph(), '.png'),
}


@pytest.mark.parametrize('kind', KINDS)
def test_pixels_are_those_of_opencv(kind, decoder):
    data = KINDS[kind]
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    found = decode_image(data, 'x')
    assert found.dtype == np.uint8 and found.flags.writeable
    # Other builds of libjpeg-turbo may round otherwise; those tried do not.
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_gray_and_16_bit_images_become_8_bit_rgb():
    gray = photograph()[..., 0]
    found = decode_image(encode(gray.astype(np.uint16) * 257, '.png'), 'x')
    assert (found == gray[..., None]).all() and found.shape[2] == 3


def test_cmyk_becomes_rgb(decoder):
    image = pytest.importorskip('PIL.Image')
    rgb = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    file = io.BytesIO()
    image.fromarray(rgb).convert('CMYK').save(file, 'JPEG', quality=95)
    found = decode_image(file.getvalue(), 'x')
    assert np.abs(found.astype(int) - rgb).max() <= 3


def test_an_exif_orientation_is_followed(decoder):
    jpeg = encode(photograph())
    upright = decode_image(jpeg, 'x')
    turned = decode_image(with_orientation(jpeg, 6), 'x')
    assert (turned == np.rot90(upright, -1)).all()


@pytest.mark.parametrize('cut', [2, 40, 600])
def test_a_truncated_jpeg_is_named(cut, decoder):
    with pytest.raises(DatasetError, match=r'a/7\.jpg: truncated JPEG'):
        decode_image(encode(photograph())[:-cut], 'a/7.jpg')


@pytest.mark.parametrize('data', [b'', b'\xff\xd8', b'not an image'])
def test_what_is_no_image_is_named(data, decoder):
    with pytest.raises(DatasetError, match=r'a/7\.jpg'):
        decode_image(data, 'a/7.jpg')


def in_jpeg(data, inserted):
    """Put bytes before the frame's start, where libjpeg skips what is no marker."""
    start = data.index(b'\xff\xc0')
    return data[:start] + inserted + data[start:]


@pytest.mark.parametrize(
    'data',
    [
        encode(photograph()),
        encode(photograph(), '.jpg', cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        encode(photograph(), '.png'),
        with_orientation(encode(photograph()), 1),
        in_jpeg(encode(photograph()), b'\xff\xff\xff'),
        in_jpeg(encode(photograph()), b'no marker \xff\0 and \xff\x01'),
        # A comment, in which another frame seems to start.
        in_jpeg(encode(photograph()), b'\xff\xfe\0\x0b\xff\xc0\0\x11\x08\0\1\0\1'),
    ],
)
def test_the_size_is_what_will_be_decoded(data):
    assert image_size(data) == decode_image(data, 'it').shape[:2] == (45, 62)


@pytest.mark.parametrize('inserted', [b'', b'\xff', b'skipped', b'\xff\xfe\0\x02'])
def test_a_claim_of_gigabytes_is_refused_before_it_is_decoded(inserted, decoder):
    data = bytearray(in_jpeg(encode(photograph()), inserted))
    start = data.index(b'\xff\xc0')
    data[start + 5 : start + 9] = b'\xff\xff\xff\xfe'
    with pytest.raises(
        DatasetError, match=r'a.jpg: .* claim to be 65534 x 65535 pixels'
    ):
        decode_image(bytes(data), 'a.jpg')
    header = struct.pack('>II', 9000, 9000) + b'\x08\x02\0\0\0'
    chunk = b'IHDR' + header
    png = images.PNG_START + struct.pack('>I', 13) + chunk
    png += struct.pack('>I', zlib.crc32(chunk)) + encode(photograph(), '.png')[33:]
    with pytest.raises(DatasetError, match='claim to be 9000 x 9000 pixels, more'):
        decode_image(png, 'a.png')


@pytest.mark.parametrize('chunk', ['IDAT', 'IEND'])
def test_a_png_is_whole_or_named(chunk):
    whole = encode(photograph(), '.png')
    for cut in (1, 12, 13, 600):
        with pytest.raises(DatasetError, match=r'a.png: truncated PNG, \d+ bytes'):
            decode_image(whole[:-cut], 'a.png')
    # OpenCV would reserve the four gigabytes that it says it has.
    claims = bytearray(whole)
    place = whole.index(chunk.encode())
    claims[place - 4 : place] = b'\xff\xff\xff\xf0'
    with pytest.raises(DatasetError, match=r'a.png: truncated PNG'):
        decode_image(bytes(claims), 'a.png')
    assert decode_image(whole + b'more', 'a.png').shape == (45, 62, 3)


@pytest.mark.parametrize('suffix', ['.bmp', '.tiff', '.webp'])
def test_other_formats_are_refused(suffix):
    # OpenCV reads more formats than frames have, with decoders that few look after.
    with pytest.raises(DatasetError, match='no JPEG or PNG'):
        decode_image(encode(photograph(), suffix), 'a.jpg')


@pytest.mark.parametrize('name', pick(GOLDEN, 'resize/'))
def test_resizing_equals_torchvision(name):
    interpolation, size = name.split('/')
    size = tuple(map(int, size.split('x')))
    frames = list(GOLDEN['x'].permute(0, 2, 3, 1).numpy())
    found = resize_frames(frames, size, interpolation)
    expected = GOLDEN[f'resize/{name}'].permute(0, 2, 3, 1).numpy()
    assert found.flags.c_contiguous and found.dtype == np.uint8
    # Processors without AVX2 take another kernel, which rounds otherwise.
    assert np.abs(found.astype(int) - expected).max() <= 1
    whole = resize_frames(np.stack(frames), size, interpolation)
    assert (whole == found).all()


def test_shrinking_averages_instead_of_skipping_pixels():
    stripes = np.zeros((1, 64, 64, 3), np.uint8)
    stripes[:, :, ::2] = 255
    found = resize_frames(stripes, (8, 8), 'bilinear')[0, 2:-2, 2:-2]
    assert np.abs(found.astype(int) - 127).max() <= 2
