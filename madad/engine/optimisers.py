"""The optimisers that a card can name."""

from __future__ import annotations

from functools import partial

import torch

# All weights go into one call (foreach), which gives the same numbers as one call for each.
# AMSGrad: Reddi, Kale & Kumar 2018 (arXiv 1904.09237); betas for GANs: Gulrajani et al. 2017 (arXiv 1704.00028), algorithm 1
OPTIMISERS = {
    "adam": partial(torch.optim.Adam, foreach=True),
    "adamw": partial(torch.optim.AdamW, foreach=True),
    "amsgrad": partial(torch.optim.Adam, amsgrad=True, foreach=True),
    "adam_for_gans": partial(torch.optim.Adam, betas=(0.0, 0.9), foreach=True),
}
