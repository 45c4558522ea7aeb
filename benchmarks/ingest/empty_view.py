"""A site of one view that does nothing: the limit of what Django on this server can answer."""

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

PATH: Final = "/empty"


@csrf_exempt
def empty(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"{}", content_type="application/json")


urlpatterns = [path(PATH[1:], empty)]
