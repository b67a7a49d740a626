"""What an agent knows of a language model."""

from collections.abc import Sequence
from typing import Protocol

from lens_exporter.model.conversation import Reply, ToolSpec, Trail

INVESTIGATOR, REVIEWER, READER = ROLES = ("investigator", "reviewer", "reader")  # who asks, as metrics name them


class ModelClient(Protocol):
    """One configured model, or the offline analyst behind the same contract. Safe to call from any thread."""

    @property
    def name(self) -> str:
        """The client's name in the configuration; "offline" for the analyst that uses no model."""

    def ask(self, system: str, trail: Trail, tools: Sequence[ToolSpec], *, role: str, critical: bool = False) -> Reply:
        """Answer the conversation so far with tool calls; the last tool is the one that ends the conversation.

        A server may ignore that a tool call is wanted: then the reply has text and no calls. `role` names the asker in metrics,
        one of ROLES. A critical call may use the reserve of the budget.

        Raises:
            ModelRefused, ModelOverloaded, ModelUnavailable, ModelTimeout, ModelError: the call failed; retrying is over.
            BudgetSpent, BreakerOpen: the call was not made.

        """
