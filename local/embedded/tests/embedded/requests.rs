use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementRequest, KeysAndAttributes, Put, ReturnValuesOnConditionCheckFailure as OnFailure,
    TableStatus, TransactWriteItem,
};
use embedded::Location;

use super::{TABLE, events, open, put, text};

#[tokio::test]
async fn an_item_comes_back_as_it_was_put() {
    let (_, client) = open(Location::Temporary);
    let number = AttributeValue::N("12.50".to_owned());
    let bytes = AttributeValue::B(Blob::new([0, 255]));
    let item = client.put_item().table_name(TABLE).item("pk", text("a")).item("sk", text("b"));
    item.item("bytes", bytes.clone()).item("number", number).send().await.unwrap();

    let answer = client.get_item().table_name(TABLE).key("pk", text("a")).key("sk", text("b")).send().await.unwrap();
    let item = answer.item.unwrap();
    assert_eq!(item["bytes"], bytes);
    assert_eq!(item["number"], AttributeValue::N("12.5".to_owned()));

    let absent = client.get_item().table_name(TABLE).key("pk", text("a")).key("sk", text("c")).send().await.unwrap();
    assert_eq!(absent.item, None);
}

#[tokio::test]
async fn a_failed_condition_returns_the_old_item() {
    let (_, client) = open(Location::Temporary);
    put(&client, 1).await;
    let again = client.put_item().table_name(TABLE).item("pk", text("p")).item("sk", text("00001"));
    let again = again.condition_expression("attribute_not_exists(pk)");
    let again = again.return_values_on_condition_check_failure(OnFailure::AllOld);

    let error = again.send().await.unwrap_err().into_service_error();
    assert!(error.is_conditional_check_failed_exception(), "{error:?}");
    let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(failed) = error else {
        unreachable!()
    };
    assert_eq!(failed.item.unwrap()["user"], text("u"));
}

#[tokio::test]
async fn a_cancelled_transaction_has_its_reasons() {
    let (_, client) = open(Location::Temporary);
    put(&client, 1).await;
    let new = |sk: &str| {
        let put = Put::builder().table_name(TABLE).item("pk", text("p")).item("sk", text(sk));
        let put = put.condition_expression("attribute_not_exists(pk)");
        let put = put.return_values_on_condition_check_failure(OnFailure::AllOld).build().unwrap();
        TransactWriteItem::builder().put(put).build()
    };
    let transaction = client.transact_write_items().transact_items(new("00002")).transact_items(new("00001"));

    let error = transaction.send().await.unwrap_err().into_service_error();
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
        cancelled,
    ) = error
    else {
        unreachable!("{error:?}")
    };
    let reasons = cancelled.cancellation_reasons();
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code().unwrap()).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed"]);
    assert_eq!(reasons[1].item().unwrap()["user"], text("u"));
}

#[tokio::test]
async fn an_index_is_paged_in_both_directions() {
    let (_, client) = open(Location::Temporary);
    for number in 1..=5 {
        put(&client, number).await;
    }
    assert_eq!(pages(&client, true).await, [vec!["00001", "00002"], vec!["00003", "00004"], vec!["00005"]]);
    assert_eq!(pages(&client, false).await, [vec!["00005", "00004"], vec!["00003", "00002"], vec!["00001"]]);
}

async fn pages(client: &Client, forward: bool) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut start = None;
    loop {
        let query = client.query().table_name(TABLE).index_name("by_user").limit(2).scan_index_forward(forward);
        let query = query.key_condition_expression("#u = :u").expression_attribute_names("#u", "user");
        let query = query.expression_attribute_values(":u", text("u")).set_exclusive_start_key(start);
        let answer = query.send().await.unwrap();
        let page = answer.items().iter().map(|item| {
            assert_eq!(item.len(), 3, "only keys are projected: {item:?}");
            item["sk"].as_s().unwrap().clone()
        });
        pages.push(page.collect());
        start = answer.last_evaluated_key;
        if start.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn batches_read_items_and_run_statements() {
    let (_, client) = open(Location::Temporary);
    put(&client, 1).await;
    put(&client, 2).await;
    let key = |sk: &str| [("pk".to_owned(), text("p")), ("sk".to_owned(), text(sk))].into();
    let keys = KeysAndAttributes::builder().keys(key("00001")).keys(key("00002")).keys(key("00003")).build().unwrap();
    let answer = client.batch_get_item().request_items(TABLE, keys).send().await.unwrap();
    assert_eq!(answer.responses.unwrap()[TABLE].len(), 2);

    let statement = |sk: &str| {
        let statement = format!("UPDATE {TABLE} SET seen = 'yes' WHERE pk = 'p' AND sk = '{sk}'");
        BatchStatementRequest::builder().statement(statement).build().unwrap()
    };
    // One that fails leaves the others.
    for (batch, expected) in [
        ([statement("00001"), statement("00009")], [None, Some("ConditionalCheckFailed")]),
        ([statement("00001"), statement("00002")], [None, None]),
    ] {
        let answer = client.batch_execute_statement().set_statements(Some(batch.into())).send().await.unwrap();
        let codes: Vec<_> =
            answer.responses().iter().map(|one| one.error().map(|error| error.code().unwrap().as_str())).collect();
        assert_eq!(codes, expected);
        let item = client.get_item().table_name(TABLE).key("pk", text("p")).key("sk", text("00001")).send().await;
        assert_eq!(item.unwrap().item.unwrap()["seen"], text("yes"));
    }
}

#[tokio::test]
async fn expired_items_are_deleted_page_by_page_and_leave_records() {
    let (database, client) = open(Location::Temporary);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let expiries = [now - 60, now, now + 600];
    for number in 0..250 {
        let item = client.put_item().table_name(TABLE).item("pk", text("p")).item("sk", text(format!("{number:03}")));
        let expires = AttributeValue::N(expiries[number % 3].to_string());
        item.item("expires", expires).send().await.unwrap();
    }
    put(&client, 1000).await;

    let (mut deleted, mut start) = (Vec::new(), None);
    loop {
        let page = database.delete_expired(&events(), start).await.unwrap();
        deleted.push(page.deleted);
        start = page.next;
        if start.is_none() {
            break;
        }
    }
    assert_eq!((deleted.len(), deleted.iter().sum::<usize>()), (3, 167), "{deleted:?}");
    let again = database.delete_expired(&events(), None).await.unwrap();
    assert_eq!(again.deleted, 0);

    let batch = database.follow(TABLE, 1_000).unwrap().next().await.unwrap();
    let removed = batch.records.last().unwrap();
    assert_eq!(removed["eventName"], "REMOVE");
    assert_eq!(removed["dynamodb"]["Keys"]["sk"]["S"], "249");
}

#[tokio::test]
async fn unused_operations_and_parameters_are_rejected() {
    let (database, client) = open(Location::Temporary);
    #[expect(clippy::disallowed_methods, reason = "the test shows that it is rejected")]
    let error = client.scan().table_name(TABLE).send().await.unwrap_err();
    assert_eq!(error.code(), Some("UnknownOperationException"));
    assert_eq!(error.message(), Some("Scan is not supported"));
    assert!(client.delete_table().table_name(TABLE).send().await.is_err());
    assert!(database.calls().is_empty());
}

#[tokio::test]
async fn a_bad_request_is_a_validation_error() {
    let (_, client) = open(Location::Temporary);
    let item = client.put_item().table_name(TABLE).item("pk", text("p")).item("sk", text("s"));
    let error = item.item("number", AttributeValue::N("many".to_owned())).send().await.unwrap_err();
    assert_eq!(error.code(), Some("ValidationException"));
    assert!(error.message().unwrap().contains("many"), "{error:?}");

    let error = client.put_item().table_name("absent").item("pk", text("p")).send().await.unwrap_err();
    assert_eq!(error.code(), Some("ResourceNotFoundException"));
}

#[tokio::test]
async fn calls_are_counted_by_operation_and_table() {
    let (database, client) = open(Location::Temporary);
    let mut users = events();
    users.name = "users".to_owned();
    database.create_tables(&[events(), users]).unwrap();
    put(&client, 1).await;
    put(&client, 2).await;

    let put_in = |table: &str| {
        let put = Put::builder().table_name(table).item("pk", text("t")).item("sk", text("t")).build().unwrap();
        TransactWriteItem::builder().put(put).build()
    };
    let transaction = client.transact_write_items().transact_items(put_in("users")).transact_items(put_in(TABLE));
    transaction.send().await.unwrap();
    let statement = client.execute_statement().statement("SELECT * FROM users WHERE pk = 't'");
    assert_eq!(statement.send().await.unwrap().items().len(), 1);

    let name = |operation: &str, table: &str| (operation.to_owned(), table.to_owned());
    let expected = [
        (name("ExecuteStatement", ""), 1),
        (name("PutItem", TABLE), 2),
        (name("TransactWriteItems", "events+users"), 1),
    ];
    assert_eq!(database.calls(), BTreeMap::from(expected));
}

#[tokio::test]
async fn the_tables_are_as_specified() {
    let (_, client) = open(Location::Temporary);
    let table = client.describe_table().table_name(TABLE).send().await.unwrap().table.unwrap();
    assert_eq!(table.table_status(), Some(&TableStatus::Active));
    assert_eq!(table.attribute_definitions().len(), 3);
    assert_eq!(table.global_secondary_indexes().len(), 1);
    assert_eq!(table.stream_specification().unwrap().stream_view_type().unwrap().as_str(), "NEW_AND_OLD_IMAGES");
    assert_eq!(table.billing_mode_summary().unwrap().billing_mode().unwrap().as_str(), "PAY_PER_REQUEST");
}
