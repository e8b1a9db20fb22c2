import { del, post, V1 } from '$lib/api'
import { confirm } from '$lib/confirm.svelte'
import { toast } from '$lib/toast.svelte'
import type { Batch } from './batches'
import { t } from './text'

export async function cancel(batch: Batch, then: () => unknown): Promise<void> {
  if (!(await confirm({ title: t('cancel_title'), text: t('cancel_text'), action: t('cancel_action'), danger: true }))) return
  await post(`${V1}/messages/batches/${batch.id}/cancel`)
    .then(() => toast.good(t('canceled_done')))
    .then(then)
    .catch(toast.bad)
}

export async function remove(batch: Batch, then: () => unknown): Promise<void> {
  if (!(await confirm({ title: t('delete_title'), text: t('delete_text'), action: t('delete'), danger: true }))) return
  await del(`${V1}/messages/batches/${batch.id}`)
    .then(() => toast.good(t('deleted_done')))
    .then(then)
    .catch(toast.bad)
}
