//! The dictionary and the code lengths of version 1 of the format.
//!
//! They must not change: stored events are unpacked with them. Another dictionary is another version of the stored event.
//! Both were made from the samples of the triggers, and from synthetic messages in several languages.

/// Text that every packed event is taken to follow: the fields of readings, and names that bodies have in common.
pub const DICTIONARY: &[u8] = concat!(
    r#"","subscriber.attributes":"/userAttributes","subscriber.attributes.external_id":"/externalId","#,
    r#""subscriber.email":"/userAttributes/default_email","subscriber.id":"/userId","#,
    r#""subscriber.name":"/userAttributes/default_name"{"f":{"attributes":"/attributes","message":"/message","#,
    r#""message.chat_id":"/chatId","message.id":"/messageId","message.text":null,"node":"/node","#,
    r#""subscriber.attributes.platform_id":"/platform_id","subscriber.channel":"/platform","#,
    r#""subscriber.id":"/bm_id","subscriber.locale":"/language","subscriber.name":"/full_name","text":"/text","#,
    r#""variables":"/variables"}}{"f":{"attribute.name":"/attribute/name","attribute.value":"/attribute/value","#,
    r#""block":"/block_id","item.entity":"/entity/id","item.fields":"/item/fields","item.id":"/item/id","#,
    r#""response":"/response","tag":"/tag","takeover.reason":"/takeover/reason","#,
    r#""platform":"username":"full_name":"language":"country":"city":"gender":"avatar":"https://www.created_at":"updated_at":"2026-user_id":"bot_id":"chatId":"messageId":"userId":"externalId":"","#,
    r#""type":"text":"status":"enabled","value":"message":{"data":{"price":"00.000Z",false,true,null,"#,
    r#"{"f":{"checkpoint.id":"/checkpoint/id","checkpoint.name":"/checkpoint/name","#,
    r#""environment":"/environment","environment":null,"record.fields":"/record/fields","#,
    r#""record.id":"/record/id","subscriber.attributes":"/user","subscriber.attributes":"/user/attributes","#,
    r#""subscriber.channel":"/user/channel","subscriber.email":"/user/email","#,
    r#""subscriber.first_name":"/user/first_name","subscriber.id":"/user/id","#,
    r#""subscriber.last_name":"/user/last_name","subscriber.locale":"/user/locale","#,
    r#""subscriber.name":"/user/name","subscriber.phone":"/user/phone","subscriber.platform_user":"/user","#,
    r#""subscriber.tags":"/user/tags","#,
    r#""subscriber.timezone":"/user/timezone"}}"checkpoint":{"id":"record":{"id":"fields":{"},"#,
    r#""environment":"live"}{"user":{"id":"name":"first_name":"last_name":"email":"phone":"+channel":"facebook","#,
    r#""locale":"en_US","timezone":"America/New_York","tags":["attributes":{"@gmail.com",""#,
)
.as_bytes();

/// Lengths of the codes of the 256 bytes, then of 18 classes of match lengths: `a` is one bit.
pub const SYMBOL_LENGTHS: &[u8] = concat!(
    "lllllllllllllllllllllllllllllllldiellljiljllfggiffffefffffgkljlhiihijijijikjhjiihikihklklkhkiililegf",
    "fdggfeihfffffkefefggihjhlgllkjkklllklllkkllllkllllllllllllkklkllllllllllllllkkkkkkkkjkljlkjjlllkllll",
    "llllllllghlllllllllllllllllllllllllllllllllllllllllllllledefjiglhllllkkkkk",
)
.as_bytes();

/// Lengths of the codes of 20 classes of distances.
pub const DISTANCE_LENGTHS: &[u8] = b"hhdedccdebcdhhgggggg";
