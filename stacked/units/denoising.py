"""Base of the units that learn to answer with their input, of which they may be given a corrupted copy (Vincent et al. 2010)."""

from ..errors import SettingError
from ..kernels.arithmetic.corruption import CORRUPTIONS, Corruption
from ..kernels.arithmetic.losses import LOSSES
from ..network import Network
from ..parameters import value_of
from ..penalties import check_penalties, terms_of
from ..settings import real
from ..training.losses import loss_for
from ..training.phase import Source
from ..training.plan import Plan
from ..training.trainees import DenseTrainee
from .autoencoder_parameters import EVEN, SOME_INPUTS
from .base import Unit
from .chain import code_layer


class DenoisingUnit(Unit):
    """A unit with the parameters of `Reconstructing`, trained by backpropagation."""

    loss: str
    corruption: str
    corruption_level: float

    @property
    def code_activation(self) -> str:  # type: ignore[override]
        """Activation of the codes."""
        return str(value_of(self, "activation"))

    @property
    def output_activation(self) -> str:  # type: ignore[override]
        """Activation of the reconstruction."""
        return str(value_of(self, "output"))

    def validate(self) -> Plan:
        """Check every parameter and return the training plan; raises SettingError."""
        plan = super().validate()
        if self.corruption != "gaussian":
            real("corruption_level", self.corruption_level, 0.0, 1.0)
        loss_for(self.loss, self.output_activation)
        check_penalties(self, self.code_activation)
        if value_of(self, "emphasis") != EVEN and not self.corruption_level:
            raise SettingError("emphasis: has no effect without noise; set corruption_level too")
        if value_of(self, "emphasis") != EVEN and self.corruption not in SOME_INPUTS:
            raise SettingError(
                f"emphasis: expected noise that spoils some inputs and keeps others ({', '.join(SOME_INPUTS)}), found"
                f" {self.corruption}; leave it out, or choose another corruption"
            )
        return plan

    def trainee(self, network: Network, source: Source, plan: Plan) -> DenseTrainee:
        """Backpropagation through this unit."""
        (scale, offset), data = source.scaled, source.data
        low, high = data.minimum * scale + offset, data.maximum * scale + offset
        kind = CORRUPTIONS[self.corruption if self.corruption_level > 0 else "none"]
        noise = Corruption(kind, float(self.corruption_level), low, high, *value_of(self, "emphasis"))
        codes = code_layer(self.layers(network.layers[0].shape_in).encoder)
        loss = loss_for(self.loss, self.output_activation)
        assert loss in LOSSES
        return DenseTrainee(network, loss, plan, source, noise, terms_of(self, codes))
