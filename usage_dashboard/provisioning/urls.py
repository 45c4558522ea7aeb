"""The addresses of the provisioning API."""

from django.urls import path

from usage_dashboard.provisioning.batch import Batch
from usage_dashboard.provisioning.kinds import KINDS
from usage_dashboard.provisioning.views import Listing, Resource

app_name = "operator"
urlpatterns = [
    path("batch", Batch.as_view(), name="batch"),
    *(path(name, Listing.as_view(name=name), name=name) for name in KINDS),
    *(path(f"{name}/<str:external_id>", Resource.as_view(name=name), name=f"{name}_one") for name in KINDS),
]
