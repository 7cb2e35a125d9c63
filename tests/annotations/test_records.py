"""What is asked of records."""

from chronomask.annotations.records import Track, TracksFile, VideoEntry


class Counted(tuple):
    """Counts how often somebody goes through all of it."""

    times = 0

    def __iter__(self):
        self.times += 1
        return super().__iter__()


def test_the_tracks_of_every_video_are_found_in_one_go():
    videos = tuple(VideoEntry(number, f"v{number}", 8, 8, 1, 25.0, None) for number in range(1, 6))
    tracks = Counted(Track(number, 1 + number % 4, 1, 1.0, (None,)) for number in range(1, 9))
    file = TracksFile(tracks, videos)
    assert [[track.id for track in file.of(video)] for video in videos] == [[4, 8], [1, 5], [2, 6], [3, 7], []]
    assert tracks.times == 1
