import { texts } from '$lib/i18n'

export const t = texts(
  {
    title: 'Cost',
    text: 'What requests cost at the prices of their models. Prices of local models are yours to set.',
    total: 'In this time',
    mean: 'For each request',
    mean_hint: 'on average',
    by_time: 'Cost over time',
    by_group: 'Cost by group',
    by_kind: 'By kind of token',
    by_kind_text: 'Of the whole organization, by days.',
    kind: 'Kind',
  },
  {
    title: 'コスト',
    text: 'モデルの価格によるリクエストの費用です。ローカルモデルの価格は自分で設定できます。',
    total: 'この期間',
    mean: '1 リクエストあたり',
    mean_hint: '平均',
    by_time: 'コストの推移',
    by_group: 'グループ別のコスト',
    by_kind: 'トークンの種類別',
    by_kind_text: '組織全体、日単位です。',
    kind: '種類',
  },
)
