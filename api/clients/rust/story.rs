//! How a program uses Kadr by the Rust client that OpenAPI Generator makes: it registers, makes an API key, and does with it
//! what can be done with a photograph.

use std::env;
use std::error::Error;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use kadr::apis::configuration::Configuration;
use kadr::apis::{self, accounts_api, api_keys_api, images_api, sessions_api};
use kadr::models::{AccountCreate, ApiKeyCreate, Image, ImagePatch, Problem, Scope, SessionCreate};
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let photo = PathBuf::from(env::var("KADR_PHOTO")?);
    let mut kadr = Configuration { base_path: env::var("KADR_URL")?, ..Default::default() };
    kadr.bearer_access_token = Some(make_key(&kadr, env::var("KADR_NAME")?).await?);

    upload(&kadr, &photo).await?;
    upload(&kadr, &photo).await?;
    let image = upload(&kadr, &photo).await?;
    println!("uploaded");

    let mut listed = 0;
    let mut cursor = None;
    loop {
        let page = images_api::list_images(&kadr, images_api::ListImagesParams {
            limit: Some(2),
            cursor,
            sort: None,
            order: None,
            visibility: None,
            media_type: None,
            q: None,
        }).await?;
        listed += page.items.len();
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    println!("listed {listed}");

    let patch = images_api::UpdateImageParams {
        id: image.id.clone(),
        image_patch: ImagePatch { title: Some("Far hills".into()), ..Default::default() },
        if_match: Some(etag(&kadr, &image).await?),
    };
    images_api::update_image(&kadr, patch.clone()).await?;
    println!("retitled");
    // The ETag is now that of the picture as it was.
    tell(images_api::update_image(&kadr, patch).await)?;
    tell(images_api::get_image(&kadr, by_id("aaaaaaaaaaaaa")).await)?;

    let fetched = kadr.client.get(&image.url).send().await?.error_for_status()?.bytes().await?;
    if fetched != std::fs::read(&photo)? {
        return Err("the link gives other bytes than the photograph's".into());
    }
    println!("fetched");

    images_api::delete_image(&kadr, images_api::DeleteImageParams { id: image.id.clone(), if_match: None }).await?;
    println!("deleted");
    let gone = kadr.client.get(&image.url).send().await?.json::<Problem>().await?;
    if gone.status != 410 {
        return Err(format!("the link answers {gone:?}").into());
    }
    tell(images_api::get_image(&kadr, by_id(&image.id)).await)
}

/// Registers, signs in, and makes an API key: all that a program needs from then on.
async fn make_key(kadr: &Configuration, name: String) -> Result<String> {
    let client = reqwest::Client::builder().cookie_store(true).build()?;
    let kadr = Configuration { client, ..kadr.clone() };
    let password = "a long and private sentence".to_string();
    let account = AccountCreate::new(name.clone(), password.clone());
    accounts_api::create_account(&kadr, accounts_api::CreateAccountParams { account_create: account, idempotency_key: None }).await?;
    let session = SessionCreate::new(name, password);
    sessions_api::create_session(&kadr, sessions_api::CreateSessionParams { session_create: session, idempotency_key: None }).await?;
    println!("registered");
    let key = ApiKeyCreate::new("story".into(), vec![Scope::ImagesRead, Scope::ImagesWrite, Scope::ImagesDelete]);
    let made = api_keys_api::create_api_key(&kadr, api_keys_api::CreateApiKeyParams { api_key_create: key, idempotency_key: None }).await?;
    println!("key made");
    Ok(made.key)
}

/// Sends the photograph as it is read. What may stand in the query or in the form is here twice; the query is enough.
async fn upload(kadr: &Configuration, photo: &Path) -> Result<Image> {
    let params = images_api::UploadImageParams {
        file: photo.into(),
        allow_duplicate: Some(true),
        idempotency_key: Some(Uuid::new_v4().to_string()), // with the same one a request that broke could be repeated
        content_digest: None,
        format: None,
        filename: None,
        title: None,
        description: None,
        visibility: None,
        keep_metadata: None,
        filename2: None,
        title2: None,
        description2: None,
        visibility2: None,
        keep_metadata2: None,
        allow_duplicate2: None,
    };
    Ok(images_api::upload_image(kadr, params).await?)
}

/// The generated functions keep a reply's headers to themselves, so this asks for the ETag by the client below them.
async fn etag(kadr: &Configuration, image: &Image) -> Result<String> {
    let address = format!("{}/api/v1/images/{}", kadr.base_path, image.id);
    let key = kadr.bearer_access_token.as_deref().unwrap_or_default();
    let reply = kadr.client.head(address).bearer_auth(key).send().await?.error_for_status()?;
    Ok(reply.headers()["etag"].to_str()?.into())
}

fn by_id(id: &str) -> images_api::GetImageParams {
    images_api::GetImageParams { id: id.into(), if_none_match: None }
}

/// Prints the problem that has to come.
fn tell<T, E: Debug + 'static>(reply: std::result::Result<T, apis::Error<E>>) -> Result<()> {
    match reply {
        Err(apis::Error::ResponseError(said)) => {
            let problem: Problem = serde_json::from_str(&said.content)?;
            println!("{} {}", problem.status, problem.r#type.trim_start_matches("/problems/"));
            Ok(())
        }
        Err(other) => Err(other.into()),
        Ok(_) => Err("this should have been refused".into()),
    }
}
