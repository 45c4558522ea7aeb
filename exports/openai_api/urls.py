"""The addresses of OpenAI's admin API."""

from django.urls import path
from django.views.decorators.http import require_safe

from exports.openai_api import directory_views, spending, views
from exports.openai_api.endpoints import USAGE

app_name = "openai_api"
urlpatterns = [
    *(
        path(f"organization/usage/{found.name}", require_safe(views.Usage.as_view(endpoint=found)), name=found.name)
        for found in USAGE
    ),
    path("organization/costs", require_safe(views.Costs.as_view()), name="costs"),
    path("organization/projects", require_safe(directory_views.Projects.as_view()), name="projects"),
    path("organization/projects/<str:public_id>", require_safe(directory_views.OneProject.as_view()), name="project"),
    path(
        "organization/projects/<str:public_id>/api_keys",
        require_safe(directory_views.KeysOfProject.as_view()),
        name="keys_of_project",
    ),
    path(
        "organization/projects/<str:public_id>/api_keys/<str:key_id>",
        require_safe(directory_views.OneKeyOfProject.as_view()),
        name="key_of_project",
    ),
    path("organization/users", require_safe(directory_views.Users.as_view()), name="users"),
    path("organization/users/<str:public_id>", require_safe(directory_views.OneUser.as_view()), name="user"),
    path("organization/admin_api_keys", require_safe(directory_views.AdminKeys.as_view()), name="admin_keys"),
    path(
        "organization/admin_api_keys/<str:public_id>",
        require_safe(directory_views.OneAdminKey.as_view()),
        name="admin_key",
    ),
    path("organization/spend_alerts", require_safe(spending.SpendAlerts.as_view()), name="spend_alerts"),
    path(
        "organization/spend_alerts/<str:public_id>", require_safe(spending.OneSpendAlert.as_view()), name="spend_alert"
    ),
    path("organization/spend_limit", require_safe(spending.SpendLimit.as_view()), name="spend_limit"),
]
