"""What data sets call the classes: one table of spellings, in several languages.

A spelling is compared by its letters and digits alone, without accents ("Neumonía" is "neumonia", "Viral-Pneumonia" is
"viralpneumonia"). If it is not known so, numbers and words that say nothing of a class ("01_NORMAL", "NORMAL2",
"Normal cases", "pneumonia_xrays") are left out and it is looked for again. What is still unknown is a class of its own.
Only spellings that leave no doubt are here.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = ["known_class", "plain_name"]

_SPELLINGS = {
    "normal": """
        normal; normals; normale; normales; normali; normalny; normalne; normaal; normal chest; normal lung;
        normal lungs; sin alteraciones; unauffaellig; unauffällig; norma; норма; нормальный; нормальная;
        нормальные; 正常; 정상; bình thường; طبيعي; सामान्य; ปกติ; κανονικό; normál; normaali
    """,
    "healthy": """
        healthy; healthy control; healthy controls; control; controls; sano; sanos; sana; sanas; sani; sain;
        sains; saine; gesund; gesunde; saudável; saudáveis; sehat; sağlıklı; zdrowy; zdrowe; zdravý; здоров;
        здоровый; здоровые; frisk; gezond; terve; 健康; 건강
    """,
    "no finding": """
        no finding; no findings; nofind; sin hallazgos; sin hallazgo; ohne befund; kein befund; sans
        anomalie; aucune anomalie; sem achados; nessun reperto; bez zmian; без патологии; không có bất
        thường; 異常なし; 未见异常
    """,
    "negative": "negative; neg; negativ; negativo; negativa; négatif; negatif; отрицательный; 阴性; 陰性; 음성",
    "no pneumonia": """
        no pneumonia; non pneumonia; not pneumonia; without pneumonia; pneumonia negative; negative for
        pneumonia; no pneumonia finding; sin neumonía; no neumonía; keine pneumonie; pas de pneumonie; sem
        pneumonia; nessuna polmonite; no lung opacity not normal; no lung opacity / not normal; no lung
        opacity; no opacity; без пневмонии; 无肺炎; 非肺炎
    """,
    "pneumonia": """
        pneumonia; pneumonias; pneumonic; pnemonia; pneumonie; pneumonien; lungenentzündung; neumonía;
        neumonías; neumonia; polmonite; polmoniti; longontsteking; lunginflammation; lungebetændelse;
        lungebetennelse; keuhkokuume; zapalenie płuc; zápal plic; zápal pľúc; tüdőgyulladás; upala pluća;
        pljučnica; zatürre; zatürree; pnömoni; pnomoni; пневмония; пневмонія; воспаление легких; πνευμονία;
        肺炎; 폐렴; viêm phổi; radang paru; radang paru paru; ذات الرئة; الالتهاب الرئوي; التهاب رئوي; निमोनिया;
        ปอดบวม; ปอดอักเสบ; pneumonia positive; positive for pneumonia
    """,
    "bacterial": """
        bacterial; bacteria; bacterium; bacterial pneumonia; bacteria pneumonia; pneumonia bacteria;
        pneumonia bacterial; pneumonia bacterium; neumonía bacteriana; bacteriana; bacteriano; polmonite
        batterica; batterica; batterico; pneumonie bactérienne; bactérienne; bactérien; bakteriell;
        bakterielle; bakterielle pneumonie; pneumonia bacteriana; bacteriële pneumonie; bacterieel;
        bakteriyel; bakteriyel pnömoni; bakteriyel zatürre; bakteryjne; bakteryjne zapalenie płuc;
        бактериальная; бактериальная пневмония; 细菌性肺炎; 细菌; 細菌性肺炎; 細菌; 세균성 폐렴; 세균성; viêm phổi do vi khuẩn;
        viêm phổi vi khuẩn; vi khuẩn
    """,
    "viral": """
        viral; virus; viral pneumonia; virus pneumonia; pneumonia virus; pneumonia viral; neumonía viral;
        neumonía vírica; vírica; vírico; polmonite virale; virale; pneumonie virale; virale pneumonie;
        viralen pneumonie; pneumonia vírica; viral pnömoni; viral zatürre; wirusowe; wirusowe zapalenie
        płuc; вирусная; вирусная пневмония; 病毒性肺炎; 病毒; ウイルス性肺炎; ウイルス; 바이러스성 폐렴; 바이러스성; viêm phổi do virus;
        viêm phổi virus
    """,
    "covid-19": """
        covid-19; covid; covid19; covid 2019; corona; coronavirus; corona virus; sars cov 2; sarscov2; ncov;
        2019 ncov; ncov 2019; novel coronavirus; covid positive; covid-19 positive; covid pneumonia;
        covid-19 pneumonia; pneumonia covid; pneumonia covid-19; pneumonia covid19; viral pneumonia
        covid-19; covid-19 viral pneumonia; 新冠; 新冠肺炎; 신종 코로나; коронавирус; ковид
    """,
    "non-covid": """
        non covid; non covid 19; noncovid; noncovid19; no covid; no covid 19; not covid; not covid 19; covid
        negative; covid 19 negative; without covid; sin covid; 非新冠
    """,
    "opacity": """
        opacity; opacities; lung opacity; lung opacities; pulmonary opacity; opacidad; opacidad pulmonar;
        opacidade pulmonar; opacité pulmonaire; lungenverschattung; verschattung; 肺部阴影
    """,
    "positive": "positive; pos; positiv; positivo; positiva; positif; 阳性; 陽性; 양성",
}

_EMPTY_WORDS = frozenset(
    [
        "image",
        "images",
        "img",
        "imgs",
        "film",
        "films",
        "case",
        "cases",
        "xray",
        "xrays",
        "ray",
        "rays",
        "x",
        "cxr",
        "chest",
        "class",
        "category",
        "label",
        "patient",
        "patients",
        "picture",
        "pictures",
        "photo",
        "photos",
        "scan",
        "scans",
        "radiograph",
        "radiographs",
        "dataset",
        "data",
        "set",
        "folder",
        "new",
        "copy",
        "original",
        "originals",
        "cropped",
        "resized",
        "augmented",
        "kopie",
        "copia",
        "png",
        "jpg",
        "jpeg",
        "dcm",
        "dicom",
        "train",
        "training",
        "test",
        "testing",
        "val",
        "validation",
    ]
)
_WORD = re.compile(r"[^\W\d_]+|\d+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WHOLE = re.compile(r"\d+\.0+")


def plain_name(name: str) -> str:
    """A name in small letters with single spaces: what stands for a class that no table knows."""
    plain = " ".join(unicodedata.normalize("NFC", name).replace("_", " ").lower().split())
    return plain.partition(".")[0] if _WHOLE.fullmatch(plain) else plain  # "1.0" of a column that had gaps


@lru_cache(maxsize=4096)
def known_class(name: str) -> str | None:
    """The class that a spelling stands for; None if the table does not know it.

    Args:
        name: As the folder, the file or the cell has it.
    """
    found = _TABLE.get(_letters(name))
    if found is not None:
        return found
    words = [word for word in _WORD.findall(_HUMP.sub(" ", name)) if word.lower() not in _EMPTY_WORDS]
    for kept in (words, [word for word in words if not word.isdigit()]):
        found = _TABLE.get(_letters("".join(kept))) if kept else None
        if found is not None:
            return found
    return None


def _letters(name: str) -> str:
    """Letters and digits alone, without case and accents."""
    apart = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in apart if letter.isalnum())


_TABLE = {
    _letters(spelling): name for name, spellings in _SPELLINGS.items() for spelling in spellings.split(";") if spelling
}
