import cv2
import numpy as np
import pytest

from ifdd_mmaction.errors import InputError
from ifdd_mmaction.video import find_videos, open_video, result_folders
from tests.scenes import numbered_frames, numbers_of


def write_images(folder, count=11):
    folder.mkdir(parents=True)
    for i, frame in enumerate(numbered_frames(count)):
        cv2.imwrite(str(folder / f'{i + 1}.jpg'), frame)
    return folder


def test_arrays_and_folders_of_images_are_videos(tmp_path):
    folder = write_images(tmp_path / 'clip')
    for source in (folder, np.stack(numbered_frames(11))):
        video = open_video(source, fps=10)
        frames = list(video)
        assert video.length == len(frames) == 11
        assert numbers_of([frame.image for frame in frames]) == list(range(11))
        np.testing.assert_allclose([f.seconds for f in frames], np.arange(11) / 10)
    assert open_video(video) is video
    assert next(iter(open_video(folder, max_side=32))).image.shape == (24, 32, 3)


@pytest.mark.parametrize(
    'array',
    [
        np.zeros((4, 8, 8), np.uint8),
        np.zeros((4, 3, 8, 8), np.uint8),
        np.zeros((4, 8, 8, 3), np.float32),
    ],
)
def test_other_arrays_are_refused(array):
    with pytest.raises(InputError, match=r'a video is \(T, H, W, 3\)'):
        open_video(array)


def test_a_damaged_image_is_named(tmp_path):
    folder = write_images(tmp_path / 'clip', 3)
    (folder / '2.jpg').write_bytes(b'no image')
    with pytest.raises(InputError, match=r'2\.jpg'):
        list(open_video(folder))


def test_videos_are_found_in_folders_and_by_patterns(tmp_path):
    for name in ('b.mp4', 'a.MOV', 'notes.txt', 'c[1].mp4', '._b.mp4'):
        (tmp_path / name).touch()
    images = write_images(tmp_path / 'clips' / '00001', 2)
    a, b, c = (str(tmp_path / name) for name in ('a.MOV', 'b.mp4', 'c[1].mp4'))
    assert find_videos([tmp_path]) == [a, b, c]
    assert find_videos([f'{tmp_path}/*.mp4', a, a]) == [b, c, a]
    assert find_videos([c]) == [c]  # a file, though it reads like a pattern
    assert find_videos([images]) == [str(images)]
    assert find_videos([tmp_path / 'absent.mp4']) == [str(tmp_path / 'absent.mp4')]


@pytest.mark.parametrize(
    'source, message',
    [
        ('https://example.org/a.mp4', 'a URL'),
        ('absent/*.mp4', 'nothing matches'),
        ('clips', 'neither a video'),
    ],
)
def test_what_stands_for_no_video_is_said(tmp_path, monkeypatch, source, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'clips').mkdir()
    with pytest.raises(InputError, match=message):
        find_videos([source])


def test_images_of_a_folder_become_as_large_as_the_first(tmp_path):
    folder = write_images(tmp_path / '00001')
    last = sorted(folder.iterdir())[-1]
    first = next(iter(open_video(folder))).image
    cv2.imwrite(str(last), np.zeros((31, 17, 3), np.uint8))
    assert {frame.image.shape for frame in open_video(folder)} == {first.shape}


def test_results_of_two_videos_never_share_a_folder(tmp_path):
    (tmp_path / '3f786850').touch()
    (tmp_path / 'link.mp4').symlink_to(tmp_path / '3f786850')
    names = ['a/x.mp4', 'b/x.mov', 'x_2.mp4', str(tmp_path / 'link.mp4'), '']
    found = [path.as_posix() for path in result_folders('out', names)]
    assert found[:4] == ['out/x', 'out/x_2', 'out/x_2_2', 'out/link']
