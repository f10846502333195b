"""Customers, and the people who work here."""

from __future__ import annotations

from typing import Final

from entrypoints.http import views
from entrypoints.http.endpoints.endpoint import PAGED, Answer, Call, Endpoint


async def list_customers(call: Call) -> Answer:
    customers, cursor = await call.app.customers.list(actor=call.actor, limit=call.limit, cursor=call.query("cursor"))
    return 200, views.CustomerPage(items=tuple(map(views.CustomerView.of, customers)), next_cursor=cursor)


async def register_customer(call: Call) -> Answer:
    new: views.NewCustomer = call.body
    customer = await call.app.customers.register(
        actor=call.actor,
        name=new.name,
        phone=new.phone,
        vat_condition=new.vat_condition,
        document_type=new.document_type,
        document_number=new.document_number,
        address=new.address,
        email=new.email,
    )
    return 201, views.CustomerView.of(customer)


async def show_customer(call: Call) -> Answer:
    customer = await call.app.customers.show(actor=call.actor, customer_id=call.path("id"))
    return 200, views.CustomerView.of(customer)


async def change_customer(call: Call) -> Answer:
    change: views.CustomerChange = call.body
    customer = await call.app.customers.change(
        actor=call.actor,
        customer_id=call.path("id"),
        version=change.version,
        name=change.name,
        phone=change.phone,
        vat_condition=change.vat_condition,
        document_type=change.document_type,
        document_number=change.document_number,
        address=change.address,
        email=change.email,
    )
    return 200, views.CustomerView.of(customer)


async def list_users(call: Call) -> Answer:
    users = await call.app.identity.people(actor=call.actor, role=call.query("role"))
    return 200, views.UserPage(items=tuple(map(views.UserView.of, users)))


async def enrol_user(call: Call) -> Answer:
    new: views.NewUser = call.body
    user = await call.app.colleagues.enrol(
        actor=call.actor, name=new.name, role=new.role, phone=new.phone, email=new.email, origin=call.origin
    )
    return 201, views.UserView.of(user)


async def show_user(call: Call) -> Answer:
    return 200, views.UserView.of(await call.app.identity.person(actor=call.actor, user_id=call.path("id")))


async def change_user(call: Call) -> Answer:
    change: views.UserChange = call.body
    user = await call.app.colleagues.change(
        actor=call.actor,
        user_id=call.path("id"),
        version=change.version,
        name=change.name,
        phone=change.phone,
        role=change.role,
        active=change.active,
        origin=call.origin,
    )
    return 200, views.UserView.of(user)


PEOPLE: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        method="GET",
        path="/api/v1/customers",
        area="people",
        summary="List customers, the newest first",
        handler=list_customers,
        query=PAGED,
        answers={200: views.CustomerPage},
        problems=(422,),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/customers",
        area="people",
        summary="Note a customer",
        handler=register_customer,
        body=views.NewCustomer,
        answers={201: views.CustomerView},
        problems=(409, 422),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/customers/{id}",
        area="people",
        summary="Show a customer",
        handler=show_customer,
        answers={200: views.CustomerView},
        problems=(404,),
    ),
    Endpoint(
        method="PATCH",
        path="/api/v1/customers/{id}",
        area="people",
        summary="Correct what is known of a customer",
        handler=change_customer,
        body=views.CustomerChange,
        answers={200: views.CustomerView},
        problems=(404, 409, 422),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/users",
        area="people",
        summary="List colleagues by name",
        handler=list_users,
        query=("role",),
        answers={200: views.UserPage},
    ),
    Endpoint(
        method="POST",
        path="/api/v1/users",
        area="people",
        summary="Let somebody work here",
        handler=enrol_user,
        body=views.NewUser,
        answers={201: views.UserView},
        problems=(409, 422),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/users/{id}",
        area="people",
        summary="Show a colleague",
        handler=show_user,
        answers={200: views.UserView},
        problems=(404,),
    ),
    Endpoint(
        method="PATCH",
        path="/api/v1/users/{id}",
        area="people",
        summary="Change a colleague's name, phone or role, or whether they work here",
        handler=change_user,
        body=views.UserChange,
        answers={200: views.UserView},
        problems=(404, 409, 422),
    ),
)
