"""Best-of-N on a tiny untrained model: which candidates there are, which is kept, and that scores are those of the videos."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from camvig.pipelines.best_of import derive_generators, keep_best, write_candidates
from camvig.pipelines.camera_path_input import prepare_camera_path
from camvig.pipelines.clip_score import ClipScore, score_clip

PATH = "dolly in 30%, pan right 10deg"


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_scores_come_with_the_video_only_where_asked_for(tiny_pipeline, make_picture):
    plain = tiny_pipeline(make_picture(), PATH, generator=seeded(1))
    assert plain.scores is None and plain.candidate_scores is None and plain.chosen is None
    scored = tiny_pipeline([make_picture()] * 2, [PATH, None], generator=[seeded(1), seeded(2)], return_score=True)
    assert torch.equal(scored.video_ids[:1], plain.video_ids)
    score, missing = scored.scores
    assert isinstance(score, ClipScore) and score.method == "implied depth" and score.poses is None and missing is None
    frames = np.stack([np.asarray(frame) for frame in scored.frames[0]])
    again = score_clip(frames, prepare_camera_path(PATH, 17, 48, 32))
    assert score.score == again.score and score.motion_ratio == again.motion_ratio
    assert scored.candidate_scores == [[score], []] and scored.chosen == [0, 0]


@pytest.mark.parametrize("videos", [1, 2])
def test_the_best_candidate_is_kept_and_the_first_is_the_plain_video(tiny_pipeline, make_picture, videos):
    pictures, seeds = [make_picture(seed=n) for n in range(videos)], range(videos)
    output = tiny_pipeline(pictures, PATH, generator=[seeded(n) for n in seeds], best_of=3, temperature=1.0)
    plain = tiny_pipeline(pictures, PATH, generator=[seeded(n) for n in seeds], return_score=True, temperature=1.0)
    for number in range(videos):
        scores = [one.score for one in output.candidate_scores[number]]
        assert len(scores) == 3 and len(set(scores)) == 3
        assert output.chosen[number] == int(np.argmax(scores)) and output.scores[number].score == max(scores)
        assert scores[0] == plain.scores[number].score
        alone = tiny_pipeline(pictures[number], PATH, generator=seeded(number), best_of=3, temperature=1.0)
        assert torch.equal(alone.video_ids[0], output.video_ids[number])
        frames = np.stack([np.asarray(frame) for frame in output.frames[number]])
        assert score_clip(frames, prepare_camera_path(PATH, 17, 48, 32)).score == max(scores)


def test_a_shared_generator_and_more_candidates_than_a_batch(tiny_pipeline, make_picture):
    pictures = [make_picture(seed=0), make_picture(seed=1)]
    heard = []
    few, many = (
        tiny_pipeline(pictures, PATH, generator=seeded(5), best_of=n, callback=lambda *at: heard.append(at))
        for n in (2, 6)
    )
    plain = tiny_pipeline(pictures, PATH, generator=seeded(5), return_score=True)
    for number in range(2):
        scores = [one.score for one in many.candidate_scores[number]]
        assert scores[0] == plain.scores[number].score and len(scores) == 6
        assert scores[:2] == [one.score for one in few.candidate_scores[number]]
    assert heard[127] == (128, 128) and heard[-1] == (192, 192)  # one batch and one, then one and two of 8 and 2 videos


def test_derived_generators_leave_the_given_ones_alone():
    given = [seeded(0), seeded(1)]
    derived = derive_generators(given, 6)
    assert len({one.initial_seed() for one in derived}) == 6
    assert torch.equal(given[0].get_state(), seeded(0).get_state())
    assert [one.initial_seed() for one in derive_generators(given[1], 3)] == [
        one.initial_seed() for one in derived[1::2]
    ]
    torch.manual_seed(0)
    first, second = derive_generators(None, 2), derive_generators(None, 2)
    assert {one.initial_seed() for one in first}.isdisjoint(one.initial_seed() for one in second)


def test_candidates_are_written_in_batches():
    batches = []

    def write(rows, generators, on_id):
        batches.append(list(rows))
        return torch.tensor([one.initial_seed() % 997 for one in generators])

    ids = write_candidates(write, 3, 5, [seeded(n) for n in range(3)])
    assert batches == [[0, 1, 2, 3, 4, 5, 6, 7], [8, 9, 10, 11, 12, 13, 14]]
    assert ids.shape == (5, 3) and ids[0].tolist() == [0, 1, 2]


def test_of_equal_videos_the_first_is_kept(tiny_pipeline, make_picture):
    path = prepare_camera_path(PATH, 17, 48, 32)
    video = tiny_pipeline(make_picture(), PATH, generator=seeded(0), output_type="pt").frames[0]
    best, scores, number = keep_best([video, video.clone()], path, score_clip)
    assert best is video and number == 0 and scores[0].score == scores[1].score


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"best_of": 0}, "best_of to be a whole number of at least 1, got 0"),
        ({"best_of": 1.5}, "whole number"),
        ({"best_of": 2, "temperature": 0}, "temperature above 0"),
        ({"best_of": 2, "camera_path": [PATH, None]}, "a camera path for every video"),
    ],
)
def test_wrong_inputs_are_told_before_any_work(tiny_pipeline, make_picture, arguments, message):
    arguments = {"camera_path": PATH, **arguments}
    with pytest.raises(ValueError, match=message):
        tiny_pipeline(make_picture(), arguments.pop("camera_path"), **arguments)
