"""The dictionaries of what usage was for: each distinct combination of a project and attributes is one number.

A dimension is the id of an `accounts.Attribute`, or PROJECT. Its value is the id of an AttributeValue or, of PROJECT, that of an
`accounts.Project`; or OTHER. What an event says nothing of has no part: the default project, no value.
"""

from typing import ClassVar, Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

PROJECT: Final = 0
"""In the place of an attribute's id."""
OTHER: Final = -1
"""In the place of a value's id: “Other values”, all of a month that were too many to be told apart."""
ALL: Final = -2
"""In the place of a value's id, in sums alone: all values of the attribute together, so that what has none is one subtraction
away, however many values there are."""
NOTHING: Final = 0
"""The attribution of what is of the default project and has no values. It is in no table."""
MAX_VALUE_LENGTH: Final = 64


class AttributeValue(models.Model):
    """A value that some event gave to some attribute. Equal texts are one row, whoever uses them and for what."""

    id = models.AutoField(primary_key=True)
    value = models.CharField(max_length=MAX_VALUE_LENGTH)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["value"], name="attribute_value_unique")]

    def __str__(self) -> str:
        return self.value


class AttributeValueMonth(models.Model):
    """A value arrived for an attribute in a month (UTC, named by its first day): what the bound of values counts."""

    pk = models.CompositePrimaryKey("attribute_id", "month", "value_id")
    attribute_id = models.IntegerField()
    month = models.DateField()
    value_id = models.IntegerField()

    def __str__(self) -> str:
        return f"attribute {self.attribute_id}, {self.month:%Y-%m}: value {self.value_id}"


class Attribution(models.Model):
    """A combination that occurred. `parts` are its (attribute, value) pairs, flat, sorted; AttributionPart has a row for each."""

    id = models.AutoField(primary_key=True)
    organization_id = models.BigIntegerField()
    parts = ArrayField(models.IntegerField())
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization_id", "parts"], name="attribution_unique"),
        ]
        indexes: ClassVar = [models.Index(fields=["organization_id", "created_at"], name="attribution_by_organization")]

    def __str__(self) -> str:
        return f"attribution {self.id}: {self.parts}"


class AttributionPart(models.Model):
    """One value of a combination."""

    pk = models.CompositePrimaryKey("attribution_id", "attribute_id")
    attribution_id = models.IntegerField()
    attribute_id = models.IntegerField()
    value_id = models.IntegerField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["attribute_id", "value_id"], name="attribution_part_by_value")]

    def __str__(self) -> str:
        return f"attribution {self.attribution_id}: value {self.value_id} of attribute {self.attribute_id}"


class UndeclaredAttribute(models.Model):
    """A name in the `attributes` of events that their organization had not declared: it was dropped."""

    organization_id = models.BigIntegerField()
    name = models.CharField(max_length=64)
    num_events = models.BigIntegerField()
    last_seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization_id", "name"], name="undeclared_attribute_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.num_events} events"
