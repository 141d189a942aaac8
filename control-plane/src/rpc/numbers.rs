//! Number pools and phone numbers.

use muster_domain::id::TenantId;
use muster_domain::phone;
use muster_proto::v1::number_service_server::NumberService;
use muster_proto::v1::{
    BatchCreatePhoneNumbersRequest, BatchCreatePhoneNumbersResponse, CreateNumberPoolRequest,
    CreatePhoneNumberRequest, GetNumberPoolRequest, GetPhoneNumberRequest, ListNumberPoolsRequest,
    ListNumberPoolsResponse, ListPhoneNumbersRequest, ListPhoneNumbersResponse, NumberPool, NumberType,
    PhoneNumber,
};
use muster_runtime::{Error, Result, clock, name};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::audit::{Act, Change};
use crate::db::{Micros, TenantTx};
use crate::quota::Bound;
use crate::rpc::{
    Api, caller, counted, display_name, missing, page, reference, required, resource, tenant_of_parent,
};
use crate::store::accounts::account_get;
use crate::store::numbers::{
    self, Number, number_get, numbers_count, numbers_insert, numbers_list, pool_get, pool_insert,
    pools_count, pools_list,
};

const POOL: &str = "tenants/*/numberPools/*";
const NUMBER: &str = "tenants/*/phoneNumbers/*";
const ACCOUNT: &str = "tenants/*/providerAccounts/*";
/// Numbers in one batch.
const BATCH_MAX: usize = 1_000;
/// The rate of a number that names none, in segments a second: what carriers allow a local number.
const RATE_DEFAULT: f64 = 1.0;
/// The highest rate, in segments a second: far beyond any short code.
const RATE_MAX: f64 = 1_000.0;
/// Toll-free area codes of the North American plan.
const TOLL_FREE: [&str; 7] = ["800", "833", "844", "855", "866", "877", "888"];

fn encode_pool(tenant: TenantId, pool: numbers::NumberPool) -> NumberPool {
    NumberPool {
        name: name::format(POOL, &[tenant.0, pool.id]),
        display_name: pool.display_name,
        phone_number_count: pool.phone_number_count,
        create_time: Some(pool.create_time.timestamp()),
    }
}

fn encode_number(tenant: TenantId, number: Number) -> PhoneNumber {
    PhoneNumber {
        name: name::format(NUMBER, &[tenant.0, number.id]),
        phone_number: number.phone,
        number_pool: name::format(POOL, &[tenant.0, number.pool]),
        provider_account: name::format(ACCOUNT, &[tenant.0, number.account]),
        r#type: i32::from(number.kind),
        segments_per_second: number.segments_per_second,
        create_time: Some(number.create_time.timestamp()),
        hold_time: (number.hold_time > Micros::now()).then(|| number.hold_time.timestamp()),
    }
}

/// A number as it was asked for; `at` is where in the request it stands.
fn wanted(tenant: TenantId, request: CreatePhoneNumberRequest, at: &str) -> Result<Number> {
    let field = |name: &str| format!("{at}phone_number.{name}");
    let wanted = required(request.phone_number, &format!("{at}phone_number"))?;
    let phone = phone::PhoneNumber::parse_sender(&wanted.phone_number)
        .map_err(|error| Error::invalid(field("phone_number"), error.to_string()))?;
    let segments_per_second =
        if wanted.segments_per_second == 0.0 { RATE_DEFAULT } else { wanted.segments_per_second };
    if !(segments_per_second > 0.0 && segments_per_second <= RATE_MAX) {
        let message = format!("must be more than 0 and at most {RATE_MAX}");
        return Err(Error::invalid(field("segments_per_second"), message));
    }
    let kind = if TOLL_FREE.contains(&phone.area_code()) { NumberType::TollFree } else { NumberType::Local };
    Ok(Number {
        id: clock::new_id(),
        pool: reference(tenant, POOL, &wanted.number_pool, &field("number_pool"))?,
        account: reference(tenant, ACCOUNT, &wanted.provider_account, &field("provider_account"))?,
        phone: phone.as_e164().to_owned(),
        kind: i16::try_from(i32::from(kind)).unwrap_or(0),
        segments_per_second,
        create_time: Micros::now(),
        hold_time: Micros(0),
    })
}

/// Refuses pools and accounts that are not there, each looked up once.
async fn check_references(tx: &TenantTx<'_>, tenant: TenantId, numbers: &[Number], at: &str) -> Result<()> {
    let distinct = |of: fn(&Number) -> Uuid| {
        let mut ids: Vec<Uuid> = numbers.iter().map(of).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    for pool in distinct(|number| number.pool) {
        if pool_get(tx, pool).await?.is_none() {
            let text = name::format(POOL, &[tenant.0, pool]);
            return Err(missing(&format!("{at}phone_number.number_pool"), &text));
        }
    }
    for account in distinct(|number| number.account) {
        if account_get(tx, account).await?.is_none() {
            let text = name::format(ACCOUNT, &[tenant.0, account]);
            return Err(missing(&format!("{at}phone_number.provider_account"), &text));
        }
    }
    Ok(())
}

impl Api {
    async fn create_numbers(
        &self,
        tenant: TenantId,
        numbers: &[Number],
        at: &str,
        change: Change,
    ) -> Result<()> {
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let parent = name::format("tenants/*", &[tenant.0]);
        counted(&tx, tenant, &parent).await?;
        check_references(&tx, tenant, numbers, at).await?;
        Bound::PhoneNumbers.room_for(numbers.len(), &parent, numbers_count(&tx, tenant.0).await?)?;
        numbers_insert(&tx, tenant.0, numbers).await.map_err(|error| {
            if error.is_unique_violation() {
                Error::already_exists("a phone number of the request is there already, or twice in it")
            } else {
                error.into()
            }
        })?;
        Ok(tx.commit(change).await?)
    }
}

#[tonic::async_trait]
impl NumberService for Api {
    async fn create_number_pool(
        &self,
        request: Request<CreateNumberPoolRequest>,
    ) -> Result<Response<NumberPool>, Status> {
        let (caller, act) = Act::of(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let wanted = required(request.number_pool, "number_pool")?;
        let title = display_name(&wanted.display_name, "number_pool.display_name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        counted(&tx, tenant, &request.parent).await?;
        Bound::NumberPools.room_for(1, &request.parent, pools_count(&tx, tenant.0).await?)?;
        let pool = pool_insert(&tx, tenant.0, clock::new_id(), &title).await?;
        let pool = encode_pool(tenant, pool);
        tx.commit(act.created(&pool)?).await?;
        Ok(Response::new(pool))
    }

    async fn get_number_pool(
        &self,
        request: Request<GetNumberPoolRequest>,
    ) -> Result<Response<NumberPool>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, POOL, &name, "name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let pool = pool_get(&tx, id).await?.ok_or_else(|| Error::not_found(&name))?;
        Ok(Response::new(encode_pool(tenant, pool)))
    }

    async fn list_number_pools(
        &self,
        request: Request<ListNumberPoolsRequest>,
    ) -> Result<Response<ListNumberPoolsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let scope = format!("pools {}", request.parent);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let mut pools = pools_list(&tx, &page).await?;
        let next_page_token = ask.finish(&mut pools, &page, |pool| pool.id);
        let number_pools = pools.into_iter().map(|pool| encode_pool(tenant, pool)).collect();
        Ok(Response::new(ListNumberPoolsResponse { number_pools, next_page_token }))
    }

    async fn create_phone_number(
        &self,
        request: Request<CreatePhoneNumberRequest>,
    ) -> Result<Response<PhoneNumber>, Status> {
        let (caller, act) = Act::of(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let number = wanted(tenant, request, "")?;
        let answer = encode_number(tenant, number.clone());
        self.create_numbers(tenant, &[number], "", act.created(&answer)?).await?;
        Ok(Response::new(answer))
    }

    async fn batch_create_phone_numbers(
        &self,
        request: Request<BatchCreatePhoneNumbersRequest>,
    ) -> Result<Response<BatchCreatePhoneNumbersResponse>, Status> {
        let (caller, act) = Act::of(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        if !(1..=BATCH_MAX).contains(&request.requests.len()) {
            return Err(Error::invalid("requests", format!("must be 1 to {BATCH_MAX}")).into());
        }
        let mut numbers = Vec::with_capacity(request.requests.len());
        for (at, one) in request.requests.into_iter().enumerate() {
            if !one.parent.is_empty() && one.parent != request.parent {
                let field = format!("requests[{at}].parent");
                return Err(Error::invalid(field, "must be empty or the batch's own parent").into());
            }
            numbers.push(wanted(tenant, one, &format!("requests[{at}]."))?);
        }
        let phone_numbers = numbers.iter().map(|number| encode_number(tenant, number.clone())).collect();
        let answer = BatchCreatePhoneNumbersResponse { phone_numbers };
        let change = act.about(request.parent).after(&answer)?;
        self.create_numbers(tenant, &numbers, "requests.", change).await?;
        Ok(Response::new(answer))
    }

    async fn get_phone_number(
        &self,
        request: Request<GetPhoneNumberRequest>,
    ) -> Result<Response<PhoneNumber>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, NUMBER, &name, "name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let number = number_get(&tx, id).await?.ok_or_else(|| Error::not_found(&name))?;
        Ok(Response::new(encode_number(tenant, number)))
    }

    async fn list_phone_numbers(
        &self,
        request: Request<ListPhoneNumbersRequest>,
    ) -> Result<Response<ListPhoneNumbersResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let pool = reference(tenant, POOL, &request.number_pool, "number_pool")?;
        let scope = format!("numbers {}", request.number_pool);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        pool_get(&tx, pool).await?.ok_or_else(|| missing("number_pool", &request.number_pool))?;
        let mut numbers = numbers_list(&tx, pool, &page).await?;
        let next_page_token = ask.finish(&mut numbers, &page, |number| number.id);
        let phone_numbers = numbers.into_iter().map(|number| encode_number(tenant, number)).collect();
        Ok(Response::new(ListPhoneNumbersResponse { phone_numbers, next_page_token }))
    }
}
