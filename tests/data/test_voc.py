import numpy as np
import pytest
import torch

from chronomask.categories import NO_CLASS, VOC, YTVIS_2019, Category
from chronomask.data.mapping import CategoryMapping
from chronomask.data.protocol import InstanceInfo
from chronomask.data.voc import VocImages
from chronomask.errors import InputError
from data.files import textured, write_palette, write_voc

HEIGHT, WIDTH = 24, 32
CAR, PERSON, SOFA = 7, 15, 18


def palettes():
    """A person (1) with a void outline, a sofa (2), a car (4): numbers may have gaps."""
    objects, classes = np.zeros((2, HEIGHT, WIDTH), dtype=np.uint8)
    for image, values in ((objects, (1, 2, 4)), (classes, (PERSON, SOFA, CAR))):
        image[1:13, 1:13] = 255
        image[2:12, 2:12] = values[0]
        image[14:22, 2:20] = values[1]
        image[4:20, 22:30] = values[2]
    return objects, classes


def mask(top, left, bottom, right):
    found = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    found[top:bottom, left:right] = True
    return found


@pytest.fixture
def root(tmp_path):
    image = (textured(HEIGHT, WIDTH), *palettes(), ["person", "sofa", "chair", "car"])
    empty = (textured(HEIGHT, WIDTH, 1), *np.zeros((2, HEIGHT, WIDTH), dtype=np.uint8), [])
    lists = {"train": ["2007_000032"], "val": ["2007_000033"]}
    return write_voc(tmp_path / "VOC2012", {"2007_000032": image, "2007_000033": empty}, lists)


def test_objects_and_their_classes(root):
    images = VocImages(root, YTVIS_2019)
    assert (len(images), images.name(0), images.size(0), images.length(0)) == (2, "2007_000032", (HEIGHT, WIDTH), 1)
    assert images.class_names == tuple(category.name for category in VOC)
    sedan = next(index for index, category in enumerate(YTVIS_2019) if category.name == "sedan")
    assert images.instances(0) == [
        InstanceInfo("person", 0, 100.0, 1, crowd=False),
        InstanceInfo("sofa", NO_CLASS, 144.0, 1, crowd=False),
        InstanceInfo("car", sedan, 128.0, 1, crowd=False),
    ]
    clip = images.load(0)
    expected = [mask(2, 2, 12, 12), mask(14, 2, 22, 20), mask(4, 22, 20, 30)]
    assert torch.equal(clip.masks, torch.stack(expected)[:, None])
    assert clip.class_ids.tolist() == [0, NO_CLASS, sedan]
    assert torch.equal(clip.ignore[0], mask(1, 1, 13, 13) & ~mask(2, 2, 12, 12))
    assert not clip.unknown.any()
    difference = clip.frames[0].permute(1, 2, 0).float() - torch.from_numpy(textured(HEIGHT, WIDTH).copy())
    assert difference.abs().mean() < 10  # JPEG
    assert clip.source == "VOC2012: 2007_000032"


def test_an_image_without_objects(root):
    clip = VocImages(root, YTVIS_2019).load(1)
    assert clip.masks.shape == (0, 1, HEIGHT, WIDTH)
    assert not clip.ignore.any()


def test_a_list_chooses_the_images(root):
    images = VocImages(root / "ImageSets" / "Segmentation" / "val.txt", YTVIS_2019)
    assert [images.name(index) for index in range(len(images))] == ["2007_000033"]
    images.without(["2007_000033"])
    assert len(images) == 0


@pytest.mark.parametrize("unmapped", ["ignore", "drop"])
def test_other_classes_are_ignored_or_unknown(root, unmapped):
    images = VocImages(root, YTVIS_2019, CategoryMapping(unmapped=unmapped))
    assert [info.crowd for info in images.instances(0)] == [False, False, True]
    clip = images.load(0)
    sofa, void = mask(14, 2, 22, 20), mask(1, 1, 13, 13) & ~mask(2, 2, 12, 12)
    assert len(clip.masks) == len(clip.class_ids) == 2
    assert torch.equal(clip.ignore[0], void | sofa if unmapped == "ignore" else void)
    assert torch.equal(clip.unknown[0], sofa if unmapped == "drop" else torch.zeros_like(sofa))


def test_partly_labelled_images_have_no_known_background(root):
    assert VocImages(root, YTVIS_2019, complete=False).load(0).unknown.all()


def test_without_class_images_the_xml_names_by_number(tmp_path):
    objects, _ = palettes()
    names = ["person", "sofa", "chair", "car"]
    root = write_voc(tmp_path / "set", {"a": (textured(HEIGHT, WIDTH), objects, None, names)})
    assert [info.name for info in VocImages(root, None).instances(0)] == ["person", "sofa", "car"]


def test_classes_of_ones_own_come_from_the_xml(tmp_path):
    objects, classes = palettes()
    names = ["cup", "spoon", "cup", "plate"]
    root = write_voc(tmp_path / "set", {"a": (textured(HEIGHT, WIDTH), objects, classes, names)})
    images = VocImages(root, (Category(5, "plate"),))
    assert images.class_names == ("cup", "plate", "spoon")
    assert [(info.name, info.class_id) for info in images.instances(0)] == [
        ("cup", NO_CLASS),
        ("spoon", NO_CLASS),
        ("plate", 0),
    ]


def break_list(root):
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text("2007_000032\n2007_000032\n")


def break_objects(root):
    (root / "SegmentationObject" / "2007_000032.png").write_bytes(b"no image")


def lose_objects(root):
    (root / "SegmentationObject" / "2007_000032.png").unlink()


def break_xml(root):
    (root / "Annotations" / "2007_000032.xml").write_text("<annotation>")


def break_classes(root):
    (root / "SegmentationClass" / "2007_000032.png").write_bytes(b"no image")


def resize_classes(root):
    write_palette(root / "SegmentationClass" / "2007_000032.png", np.zeros((HEIGHT, WIDTH + 1)))


def forget_classes(root):
    write_palette(root / "SegmentationClass" / "2007_000032.png", np.zeros((HEIGHT, WIDTH)))
    (root / "Annotations" / "2007_000032.xml").write_text("<annotation/>")


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (break_list, r"train\.txt: 2007_000032 is listed more than once"),
        (break_objects, r"2007_000032\.png: cannot be read as an image"),
        (lose_objects, r"2007_000032\.png: cannot be read as an image: .*No such file"),
        (break_xml, r"2007_000032\.xml: cannot be read as xml"),
        (break_classes, r"SegmentationClass/2007_000032\.png: cannot be read as an image"),
        (resize_classes, "2007_000032: its object and class images differ in size"),
        (forget_classes, "2007_000032: object 1 has no class"),
    ],
)
def test_faults_found_while_opening(root, damage, cause):
    damage(root)
    path = root / "ImageSets" / "Segmentation" / "train.txt"
    with pytest.raises(InputError, match=cause):
        VocImages(path, YTVIS_2019)
    if damage is not break_list:
        images = VocImages(path, YTVIS_2019, skip_broken=True)
        assert (len(images), len(images.skipped)) == (0, 1)


def test_faults_found_while_loading(root):
    images = VocImages(root, YTVIS_2019)
    break_objects(root)
    assert len(images.instances(0)) == 3
    with pytest.raises(InputError, match=r"2007_000032\.png: cannot be read as an image"):
        images.load(0)
    (root / "JPEGImages" / "2007_000033.jpg").unlink()
    with pytest.raises(InputError, match=r"2007_000033\.jpg: cannot be read as an image"):
        images.load(1)
    with pytest.raises(InputError, match="lies in no VOC folders"):
        VocImages(root / "JPEGImages", YTVIS_2019)
