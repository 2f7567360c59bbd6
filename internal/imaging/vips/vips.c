#include "internal.h"

#if VIPS_MAJOR_VERSION < 8 || (VIPS_MAJOR_VERSION == 8 && VIPS_MINOR_VERSION < 13)
#error "Kadr needs libvips 8.13 or newer: older ones cannot block loaders."
#endif
#ifdef __GLIBC__
#include <malloc.h>
#endif

/* GLib's log handler is process-wide, so what it collects has to be as well. libvips logs from its own threads. */
static GMutex log_lock;
static char log_text[512];

static void
on_log(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer data)
{
	(void) domain, (void) data;
	/* What libvips tells of its own work would leave no room for what it has against the picture. */
	if ((level & G_LOG_LEVEL_MASK) > G_LOG_LEVEL_WARNING)
		return;
	g_mutex_lock(&log_lock);
	g_strlcat(log_text, message, sizeof(log_text));
	g_strlcat(log_text, "\n", sizeof(log_text));
	g_mutex_unlock(&log_lock);
}

static void
take_log(char *to)
{
	g_mutex_lock(&log_lock);
	if (to != NULL)
		g_strlcpy(to, log_text, sizeof(log_text));
	log_text[0] = '\0';
	g_mutex_unlock(&log_lock);
}

/* What was said of another picture must not be in the way: libvips keeps all that was not an error in the end, repeats it
 * with each warning, and the room for warnings is short. */
static void
begin(void)
{
	vips_error_clear();
	take_log(NULL);
}

static int
fail(char *error)
{
	g_strlcpy(error, vips_error_buffer(), 512);
	vips_error_clear();
	return -1;
}

int
kadr_start(const char *name, char *error)
{
	/* The only operations that touch a file's bytes. All other loaders and savers, present or added by a module,
	 * stay blocked. */
	static const char *const allowed[] = {
		"VipsForeignLoadJpegSource", "VipsForeignLoadPngSource", "VipsForeignLoadNsgifSource",
		"VipsForeignLoadWebpSource", "VipsForeignLoadHeifSource", "VipsForeignLoadTiffSource",
		"VipsForeignSaveJpegTarget", "VipsForeignSavePngTarget", "VipsForeignSaveCgifTarget",
		"VipsForeignSaveWebpTarget", "VipsForeignSaveHeifTarget", NULL};

#ifdef M_MMAP_THRESHOLD
	/* Fixed, or glibc raises it and keeps the largest picture's buffers for ever. */
	mallopt(M_MMAP_THRESHOLD, 8 * 1024 * 1024);
	mallopt(M_TRIM_THRESHOLD, 64 * 1024 * 1024);
#endif
	if (vips_init(name))
		return fail(error);
	vips_concurrency_set(1);
	vips_cache_set_max(0);
	vips_cache_set_max_mem(0);
	vips_cache_set_max_files(0);
	g_log_set_handler("VIPS", G_LOG_LEVEL_MASK | G_LOG_FLAG_RECURSION, on_log, NULL);

	vips_block_untrusted_set(TRUE);
	vips_operation_block_set("VipsForeignLoad", TRUE);
	vips_operation_block_set("VipsForeignSave", TRUE);
	for (int i = 0; allowed[i] != NULL; i++)
		vips_operation_block_set(allowed[i], FALSE);
	return 0;
}

int
kadr_header(const KadrSource *source, KadrHeader *header, char *error)
{
	VipsImage *image = NULL;

	begin();
	if (kadr_load(source, 1, 0, 1, &image))
		return fail(error);
	header->width = vips_image_get_width(image);
	header->height = vips_image_get_page_height(image);
	header->frames = vips_image_get_n_pages(image);
	header->orientation = vips_image_get_orientation(image);
	header->alpha = vips_image_hasalpha(image);
	header->profile = vips_image_get_typeof(image, VIPS_META_ICC_NAME) != 0;
	header->interlaced = vips_image_get_typeof(image, "jpeg-multiscan") != 0 ||
		vips_image_get_typeof(image, "interlaced") != 0;
	g_object_unref(image);
	return 0;
}

int
kadr_run(KadrJob *job)
{
	int result;

	begin();
	result = kadr_make(job);
	take_log(job->warning);
	return result ? fail(job->error) : 0;
}

int
kadr_locate(const KadrSource *source, int frames, int shrink, int *rows)
{
	VipsImage *image = NULL;
	int failed = 0;

	begin();
	*rows = 0;
	if (!kadr_load(source, shrink, 0, frames, &image)) {
		*rows = image->Ysize;
		failed = kadr_scan(image, 0);
		g_object_unref(image);
	}
	return failed;
}

void
kadr_trim(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

const char *
kadr_version(void)
{
	return vips_version_string();
}

void
kadr_free(void *data)
{
	g_free(data);
}
