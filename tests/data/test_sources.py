import json
import shutil

import numpy as np
import pytest

from chronomask.categories import NO_CLASS, Category
from chronomask.data.annotation_file import CocoImages, YtvisVideos
from chronomask.data.info import dataset_info
from chronomask.data.sources import open_reader, open_training_sources, parse_source
from chronomask.data.synthetic_config import SynthesizeConfig
from chronomask.data.synthetic_videos import synthesize
from chronomask.data.voc import VocImages
from chronomask.errors import InputError
from data.files import NETWORK, box, small_set, textured, write_stills, write_voc

SIDES = 20, 30


@pytest.fixture
def made(tmp_path):
    """A folder outside the set under test, with `stills.json`, `images`, `videos.json` and `JPEGImages`."""
    small_set(tmp_path / "made")
    return tmp_path / "made"


def moved(made, form, annotations, images, root):
    """The stills or videos in another layout; returns the annotation file."""
    (root / annotations).parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(made / ("images" if form is CocoImages else "JPEGImages"), root / images, dirs_exist_ok=True)
    return shutil.copy(made / ("stills.json" if form is CocoImages else "videos.json"), root / annotations)


@pytest.mark.parametrize(("file", "listed"), [("videos.json", "videos"), ("stills.json", "images")])
@pytest.mark.parametrize("held_back", [{"annotations": None}, {}])
def test_public_files_of_test_sets_are_looked_into_but_not_trained_on(made, tmp_path, file, listed, held_back):
    content = json.loads((made / file).read_text())
    entries = len(content[listed])
    del content["annotations"]
    (made / file).write_text(json.dumps(content | held_back))
    info = dataset_info(made / file)
    assert (info.entries, info.empty, info.instances, info.problems) == (entries, entries, 0, ())
    assert info.notes == (f"{made / file}: no ground truth: it names {listed} and categories alone",)
    no_truth = rf"{file}: holds no ground truth, only videos and categories, as the public files of test sets do"
    for skip_broken in (False, True):
        with pytest.raises(InputError, match=no_truth):
            open_training_sources([str(made / file)], NETWORK, skip_broken=skip_broken)
    with pytest.raises(InputError, match=no_truth):
        synthesize(open_reader(made / file, None), tmp_path / "synthesised", SynthesizeConfig())


@pytest.mark.parametrize(
    ("form", "annotations", "images"),
    [
        (CocoImages, "annotations/instances_train2017.json", "train2017"),
        (CocoImages, "annotations/instances_train2017.json", "images/train2017"),
        (CocoImages, "instances_val.json", "images"),
        (CocoImages, "anything.json", "."),
        (YtvisVideos, "train.json", "train/JPEGImages"),
        (YtvisVideos, "train/instances.json", "train/JPEGImages"),
        (YtvisVideos, "instances.json", "JPEGImages"),
        (YtvisVideos, "annotations_train.json", "train"),
        (YtvisVideos, "annotations/train.json", "train"),
    ],
)
def test_published_layouts(tmp_path, made, form, annotations, images):
    root = tmp_path / "set"
    # Folders that look right but hold other images must not be taken.
    for decoy in ("images", "JPEGImages"):
        (root / decoy).mkdir(parents=True, exist_ok=True)
    path = moved(made, form, annotations, images, root)
    reader = open_reader(path, NETWORK)
    assert type(reader) is form
    assert reader.images.resolve() == (root / images).resolve()
    assert reader.load(0).frames.shape[0] == 1
    if "annotations" not in path.parts[-2:]:
        assert open_reader(path.parent, NETWORK).annotations == path


def test_one_missing_image_does_not_hide_the_folder(tmp_path, made):
    (made / "images" / "stills-0.png").unlink()
    assert open_reader(made / "stills.json", NETWORK).images == made / "images"


def test_images_that_are_nowhere(tmp_path, made):
    shutil.move(made / "images", tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"stills\.json: its image stills-0\.png was not found in .*JPEGImages"):
        open_reader(made / "stills.json", NETWORK)
    assert open_reader(made / "stills.json", NETWORK, images=tmp_path / "elsewhere").load(0).frames.any()


def test_a_folder_with_several_files_lists_them(made):
    with pytest.raises(InputError, match=r"several files .*\n.*stills\.json\n.*videos\.json"):
        open_reader(made, NETWORK)


def voc(folder, lists):
    objects = np.zeros(SIDES)
    objects[2:9, 2:9] = 1
    return write_voc(folder, {"a": (textured(*SIDES), objects, objects * 15, ["person"])}, lists)


@pytest.mark.parametrize("given", [".", "VOC2012", "VOC2012/ImageSets/Segmentation/val.txt"])
def test_a_voc_folder(tmp_path, given):
    voc(tmp_path / "VOCdevkit" / "VOC2012", {"val": ["a"]})
    reader = open_reader(tmp_path / "VOCdevkit" / given, NETWORK)
    assert type(reader) is VocImages
    assert reader.load(0).class_ids.tolist() == [0]
    assert type(open_reader(tmp_path, NETWORK)) is VocImages


def test_a_voc_folder_with_several_lists(tmp_path):
    voc(tmp_path, {"train": ["a"], "val": []})
    with pytest.raises(InputError, match=r"train\.txt\n.*val\.txt"):
        open_reader(tmp_path, NETWORK)


def test_the_data_sets_own_classes(made):
    reader = open_reader(made / "videos.json", None)
    assert reader.file_categories == tuple(
        Category(number, name) for number, name in [(1, "person"), (17, "cat"), (18, "dog"), (99, "unicorn")]
    )
    assert reader.load(0).class_ids.tolist() == [2]


def test_rules_of_the_user(tmp_path):
    objects = [(1, box(*SIDES, 0, 0, 9, 9), {}), (99, box(*SIDES, 10, 0, 19, 9), {})]
    path = write_stills(tmp_path, [(textured(*SIDES), objects)])
    rules = tmp_path / "rules.txt"
    rules.write_text(json.dumps({"unicorn": "dog", "person": "ignore"}))
    clip = open_reader(path, NETWORK, mapping=rules).load(0)
    assert clip.class_ids.tolist() == [1]
    assert clip.ignore[0].sum() == 81
    clip = open_reader(path, NETWORK, unmapped="drop").load(0)
    assert clip.class_ids.tolist() == [0]
    assert clip.unknown[0].sum() == 81
    assert open_reader(path, NETWORK).load(0).class_ids.tolist() == [0, NO_CLASS]


def test_options_of_a_source(made):
    stills, videos = made / "stills.json", made / "videos.json"
    names = [stills, f"{videos},weight=0.25,partial", f"{videos},without=video-0", f"{stills},without=stills-0.png"]
    plain, partial, *shorter = open_training_sources([str(name) for name in names], NETWORK)
    assert isinstance(plain.reader, CocoImages)
    assert (plain.weight, partial.weight) == (1.0, 0.25)
    assert partial.reader.load(0, [0]).unknown.all()
    assert [len(source.reader) for source in shorter] == [0, 1]


def test_all_options_of_a_source():
    source = parse_source("set,weight=2,without=a+b,mapping=m.json,unmapped=drop,images=x/y")
    assert (str(source.path), source.weight, source.partial, source.without) == ("set", 2.0, False, ("a", "b"))
    assert (str(source.mapping), source.unmapped, str(source.images)) == ("m.json", "drop", "x/y")


def test_options_reach_the_reader(tmp_path):
    path = write_stills(tmp_path, [(textured(*SIDES), [(99, box(*SIDES, 0, 0, 9, 9), {})])])
    (source,) = open_training_sources([f"{path},unmapped=ignore,images={tmp_path / 'images'}"], NETWORK)
    clip = source.reader.load(0)
    assert clip.ignore.sum() == 81


def test_default_shares(tmp_path, made):
    sets = [str(made / "stills.json"), str(made / "videos.json"), str(voc(tmp_path / "voc", {}))]
    sources = open_training_sources([sets[0], *sets], NETWORK)
    assert [source.weight for source in sources] == pytest.approx([0.15, 0.15, 0.6, 0.1])
    sources = open_training_sources([sets[0] + ",weight=3", sets[1]], NETWORK)
    assert [source.weight for source in sources] == [3, 1]


@pytest.mark.parametrize(
    ("specification", "cause"),
    [
        ("stills.json,wieght=2", "'wieght=2' is no option; known are weight="),
        ("stills.json,partial=yes", "'partial=yes' is no option"),
        ("stills.json,unmapped=gone", "'unmapped=gone' is no option; .*object|ignore|drop"),
        ("stills.json,without=", "'without=' is no option"),
        ("stills.json,weight=1,weight=2", "weight is given twice"),
        ("stills.json,weight=0", "weight=0 is not a positive number"),
        ("stills.json,weight=much", "weight=much is not a positive number"),
        ("stills.json,weight=inf", "weight=inf is not a positive number"),
        ("stills.json,mapping=absent.json", r"absent\.json: no such file"),
        ("videos.json,without=absent", "no entry named absent"),
        ("images", "holds neither an annotation file"),
        ("absent.json", "no such file"),
        ("text.json", "not json"),
        ("list.json", "an annotation file is needed, this is a list"),
        ("empty.json", "categories: missing"),
        ("list.txt", "lies in no VOC folders"),
    ],
)
def test_sources_that_cannot_be_used(made, specification, cause):
    (made / "text.json").write_text("no json")
    (made / "list.json").write_text("[]")
    (made / "empty.json").write_text("{}")
    (made / "list.txt").write_text("a")
    with pytest.raises(InputError, match=cause):
        open_training_sources([f"{made}/{specification}"], NETWORK)
