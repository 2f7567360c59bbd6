import { Problem, explain } from '../problem.js';
import { nameOf } from '../snippets.js';
import { confirmDialog } from './confirm.js';

/**
 * Deletes a picture, after asking. A failure is told; a picture that is gone already counts as deleted.
 * @param {import('../store.js').Image} image
 * @param {import('../app.js').Context} context
 * @returns {Promise<boolean>} whether it is gone
 */
export async function deletePicture(image, { api, mine, feed, toast }) {
  const sure = await confirmDialog({
    title: 'Delete this picture?',
    text: `“${nameOf(image)}” and all links to it stop working at once. This cannot be undone.`,
    action: 'Delete',
  });
  if (!sure) return false;
  try {
    await api.deleteImage(image.id);
  } catch (error) {
    if (!(error instanceof Problem) || (error.status !== 404 && error.status !== 410)) {
      toast.show(explain(error));
      return false;
    }
  }
  mine.remove(image.id);
  feed.remove(image.id);
  toast.show('Deleted');
  return true;
}
