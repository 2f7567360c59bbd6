import app.kadr.client.ApiClient;
import app.kadr.client.ApiException;
import app.kadr.client.api.AccountsApi;
import app.kadr.client.api.ApiKeysApi;
import app.kadr.client.api.ImagesApi;
import app.kadr.client.api.LinksApi;
import app.kadr.client.api.SessionsApi;
import app.kadr.client.model.APIKeyCreate;
import app.kadr.client.model.AccountCreate;
import app.kadr.client.model.Image;
import app.kadr.client.model.ImagePatch;
import app.kadr.client.model.Problem;
import app.kadr.client.model.Scope;
import app.kadr.client.model.SessionCreate;
import java.io.File;
import java.net.HttpCookie;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.UUID;

/**
 * How a program uses Kadr by the Java client that OpenAPI Generator makes: it registers, makes an API key, and does with it
 * what can be done with a photograph.
 */
public final class Story {
    public static void main(String[] args) throws Exception {
        var url = System.getenv("KADR_URL");
        var photo = new File(System.getenv("KADR_PHOTO"));
        var kadr = new ApiClient().setBasePath(url);
        kadr.setBearerToken(makeKey(url, System.getenv("KADR_NAME")));
        var images = new ImagesApi(kadr);
        var links = new LinksApi(kadr);

        Image image = null;
        String etag = null;
        for (int i = 0; i < 3; i++) {
            var stored = images.uploadImage(photo)
                    .allowDuplicate(true)
                    .idempotencyKey(UUID.randomUUID().toString()) // with the same one a request that broke could be repeated
                    .executeWithHttpInfo();
            image = stored.getData();
            etag = stored.getHeaders().get("ETag").get(0);
        }
        System.out.println("uploaded");

        int listed = 0;
        String cursor = null;
        do {
            var page = images.listImages().limit(2).cursor(cursor).execute();
            listed += page.getItems().size();
            cursor = page.getNextCursor();
        } while (cursor != null);
        System.out.println("listed " + listed);

        var id = image.getId();
        var patch = images.updateImage(id, new ImagePatch().title("Far hills")).ifMatch(etag);
        patch.execute();
        System.out.println("retitled");
        tell(patch::execute); // the ETag is now that of the picture as it was
        tell(images.getImage("aaaaaaaaaaaaa")::execute);

        var file = Path.of(image.getUrl().getPath()).getFileName().toString();
        var fetched = links.getFile(file).execute().toPath();
        if (Files.mismatch(fetched, photo.toPath()) != -1) {
            throw new IllegalStateException("the link gives other bytes than the photograph's");
        }
        Files.delete(fetched);
        System.out.println("fetched");

        images.deleteImage(id).execute();
        System.out.println("deleted");
        refusal(links.getFile(file)::execute);
        tell(images.getImage(id)::execute);
    }

    /** Registers, signs in, and makes an API key: all that a program needs from then on. */
    private static String makeKey(String url, String name) throws ApiException {
        var password = "a long and private sentence";
        var kadr = new ApiClient().setBasePath(url);
        new AccountsApi(kadr).createAccount(new AccountCreate().name(name).password(password)).execute();
        var session = new SessionsApi(kadr).createSession(new SessionCreate().name(name).password(password)).executeWithHttpInfo();
        var cookie = HttpCookie.parse(session.getHeaders().get("Set-Cookie").get(0)).get(0);
        kadr.addDefaultCookie(cookie.getName(), cookie.getValue());
        System.out.println("registered");
        var scopes = Set.of(Scope.IMAGES_READ, Scope.IMAGES_WRITE, Scope.IMAGES_DELETE);
        var made = new ApiKeysApi(kadr).createAPIKey(new APIKeyCreate().name("story").scopes(scopes)).execute();
        System.out.println("key made");
        return made.getKey();
    }

    private interface Request {
        void execute() throws ApiException;
    }

    /** The problem that has to come. */
    private static Problem refusal(Request request) throws Exception {
        try {
            request.execute();
        } catch (ApiException e) {
            return Problem.fromJson(e.getResponseBody());
        }
        throw new IllegalStateException("this should have been refused");
    }

    private static void tell(Request request) throws Exception {
        var problem = refusal(request);
        System.out.println(problem.getStatus() + " " + Path.of(problem.getType()).getFileName());
    }
}
