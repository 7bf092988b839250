"""Random encoder, the control of learning: what an untrained encoder gives, with the best linear decoder.

h = f(x) as it starts (n, k),  x̂ = [h, 1] B,   B (k + 1, d) by least squares on train and validation
"""

import torch
from torch import Tensor

from aebench.models.base import Images
from aebench.models.controls import Control
from aebench.models.layers import Dense, EncoderParams
from aebench.runs import History


class RandomEncoder(Control):
    """A vanilla encoder as it starts; the decoder is h -> [h, 1] B with B (k + 1, d) by least squares."""

    Params = EncoderParams

    def __init__(self, params: EncoderParams, pixels: int):
        super().__init__(params, pixels)
        self.encoder = Dense([pixels, *params.hidden, params.code], params.activation)
        self.register_buffer("readout", torch.zeros(params.code + 1, pixels))

    def encode(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, k)."""
        return self.encoder(x)

    def decode(self, h: Tensor) -> Tensor:
        """(n, k) -> (n, d); may leave [0, 1]."""
        return h @ self.readout[:-1] + self.readout[-1]

    def fit(self, ensemble, images: Images, minimise) -> History:
        """Least squares in float64 on train and validation: nothing is chosen."""
        for replica in ensemble.replicas():
            h = replica("encode", images.both).double()
            h = torch.cat([h, torch.ones_like(h[:, :1])], 1)
            solution = torch.linalg.lstsq(h, images.both.double()).solution
            replica.state["readout"].copy_(solution + 0.0)  # of pixels that are always 0, the sign of 0 varies
        return History()
