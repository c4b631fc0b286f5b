"""How Pulumi's engine names a resource of a stack, taken apart as the engine does."""


class Urn(str):
    """`urn:pulumi:STACK::PROJECT::TYPES::NAME`.

    TYPES are its parents' and its own, joined by `$`. A name may hold either mark. (pulumi,
    sdk/go/common/resource/urn/urn.go)
    """

    __slots__ = ()

    @property
    def stack(self) -> str:
        """The stack that it is of, by its short name."""
        return self.split("::", 1)[0].rpartition(":")[2]

    @property
    def project(self) -> str:
        """The project that it is of."""
        return self.split("::", 3)[1]

    @property
    def types(self) -> str:
        """Its type with its parents' before it."""
        return self.split("::", 3)[2]

    @property
    def kind(self) -> str:
        """Its type."""
        return self.types.rpartition("$")[2]

    @property
    def parent_kind(self) -> str:
        """Its parent's type; blank where that is the stack."""
        return self.types.rpartition("$")[0].rpartition("$")[2]

    @property
    def depth(self) -> int:
        """How many parents it has below the stack."""
        return self.types.count("$")

    @property
    def name(self) -> str:
        """Its name in the program."""
        return self.split("::", 3)[3]

    def renamed(self, name: str) -> "Urn":
        """Return the same under another name."""
        return Urn(self.removesuffix(self.name) + name)
