"""Small weights of lungmask's own networks, whose answer is known: dark voxels (below -500 HU) are a lobe."""

import torch

from ren_features.regions import LUNGMASK
from ren_features.segmentation.networks import CLASSES, WEIGHTS

DARK = (-500 + 1024) / 1624
"""-500 HU, as lungmask scales intensities."""


def network(classes, label, offset=0.0):
    """Weights that carry intensities to the end over the first bridge, plus an offset that bfloat16 may be too coarse for.

    Constant tensors take one number each on disk.
    """
    from lungmask.resunet import UNet

    shapes = UNet(n_classes=classes, padding=True, depth=5, up_mode="upsample", batch_norm=True).state_dict()
    ones = ("running_var", "block.2.weight", "block.5.weight")
    state = {name: torch.tensor(float(name.endswith(ones))).expand(value.shape) for name, value in shapes.items()}

    def put(name, index, value):
        state[name] = state[name].clone()
        state[name][index] = value

    put("down_path.0.block.0.weight", (0, 0, 1, 1), 1.0)
    put("down_path.0.block.0.bias", 0, offset)
    put("down_path.0.block.3.weight", (0, 0, 1, 1), 1.0)
    put("up_path.3.conv_block.block.0.weight", (0, 64, 1, 1), 1.0)
    put("up_path.3.conv_block.block.3.weight", (0, 0, 1, 1), 1.0)
    put("last.weight", (label, 0), -1.0)
    put("last.bias", label, DARK + offset)
    return state


def write_weights(folder, offset=0.0):
    folder.mkdir(exist_ok=True)
    for name, label in (("LTRCLobes", LUNGMASK.labels["LLL"]), ("R231", 1)):
        torch.save(network(CLASSES[name], label, offset), folder / WEIGHTS[name])
    return folder
