"""Addresses of views: changes make a new address, and what is not changed stays."""

from metering.pages.addresses import Address

HERE = Address("/usage/", (("month", "2026-10"), ("group", "user"), ("page", "3"), ("model", "a"), ("model", "b")))


def test_an_address_without_parameters_has_no_question_mark() -> None:
    assert str(Address("/usage/")) == "/usage/"


def test_values_are_encoded() -> None:
    assert str(Address("/usage/", (("model", "a b&c=d/é"),))) == "/usage/?model=a+b%26c%3Dd%2F%C3%A9"


def test_setting_replaces_all_values_and_leads_to_the_first_page() -> None:
    assert HERE.setting("model", "c").parameters == (("month", "2026-10"), ("group", "user"), ("model", "c"))


def test_setting_nothing_removes() -> None:
    assert HERE.setting("group", "").parameters == (("month", "2026-10"), ("model", "a"), ("model", "b"))


def test_dropping_takes_one_value_of_several() -> None:
    assert HERE.dropping("model", "a").parameters == (("month", "2026-10"), ("group", "user"), ("model", "b"))


def test_without_takes_all_values_of_these_names_and_nothing_else() -> None:
    assert HERE.without("model", "group").parameters == (("month", "2026-10"), ("page", "3"))


def test_another_path_keeps_the_parameters() -> None:
    assert HERE.at("/cost/") == Address("/cost/", HERE.parameters)


def test_another_organization_is_opened_without_filters_and_pages() -> None:
    assert HERE.view_query == "month=2026-10&group=user"
