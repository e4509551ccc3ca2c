"""Which molecules, radicals, bonds, reactions and pairs are labelled; SMILES, small enough for a minute each.

The lists are written by hand. Molecules of the reactions that models of this package are tested on are not
among them.
"""

from __future__ import annotations

MOLECULES = (
    "[H][H] C C#C C=C CC N#N C#N [C-]#[O+] O=C=O C=O O OO N NN F Cl S FF ClCl O=S=O CO CN CF CCl CS N=C=O "
    "[N-]=[N+]=O [O][O] OC=O OF OCl FCl SS FN(F)F NF NCl NO N=O N=N C=N FC#C C=CF FCF ClCCl O=C=S S=C=S "
    "C=S CC#N NC=O C=C=O CC=C C1CC1 C=C=C CC#C CC=S C1CO1 COC CCO CSC FSF [S][S] [O][S] ClSCl ON=O FOF "
    "ClOCl N#CF N#CCl C#CC#N CSF FC(F)=O ClC=O NC=N CN=C C[N+]#[C-] C=CCl OS SC=O NSN CNC CCF CCCl CCN "
    "C=CO FC(F)F ClC(Cl)Cl COO CON CNN CSS SN SCl SF"
).split()
"""Closed shells, and O2, S2 and SO, which are triplets (`TRIPLETS`)."""

TRIPLETS = ("[O][O]", "[S][S]", "[O][S]", "[CH2]", "[NH]", "[C]=O", "[O]", "[S]", "[C]")

PARENTS = (
    "C CC C=C C#C N O CO CN CF CCl CS NN OO NO SS C=O C=N C#N S NC=O OC=O CC=S CC#N CCO COC CNC CC=C CC#C "
    "C=CF CSC FCF ClCCl N=N N=O ON=O OCl OF NCl NF OS SN CCC C=CO CCN COO CON N=C=O FC(F)F F Cl"
).split()
"""Their acyclic single bonds are broken for the fragments."""

RADICALS = ("[N]=O", "[O]", "[NH]", "[CH2]", "[CH]", "[N]", "[C]#C", "N#C[O]", "[O]N=O", "O[S]", "O[O]")
"""Fragments that no acyclic single bond of `PARENTS` gives."""

BONDS = (
    # the two atoms carry the numbers 1 and 2; what follows is the multiplicities of the two sides as (1, 2)
    ("[H:1][H:2]", ()),
    ("[CH3:1][H:2]", ()),
    ("[NH2:1][H:2]", ()),
    ("[OH:1][H:2]", ()),
    ("[SH:1][H:2]", ()),
    ("[F:1][H:2]", ()),
    ("[Cl:1][H:2]", ()),
    ("[CH3:1][CH3:2]", ()),
    ("[CH2:1]=[CH2:2]", ()),
    ("[CH:1]#[CH:2]", ((2, 2), (4, 4))),
    ("[CH3:1][NH2:2]", ()),
    ("[CH2:1]=[NH:2]", ()),
    ("[CH:1]#[N:2]", ((4, 4), (2, 4))),
    ("[CH3:1][OH:2]", ()),
    ("[CH2:1]=[O:2]", ()),
    ("[C-:1]#[O+:2]", ((3, 3),)),
    ("[CH3:1][SH:2]", ()),
    ("[CH2:1]=[S:2]", ()),
    ("[CH3:1][F:2]", ()),
    ("[CH3:1][Cl:2]", ()),
    ("[NH2:1][NH2:2]", ()),
    ("[NH:1]=[NH:2]", ()),
    ("[N:1]#[N:2]", ()),
    ("[NH2:1][OH:2]", ()),
    ("[NH:1]=[O:2]", ()),
    ("[NH2:1][SH:2]", ()),
    ("[NH2:1][F:2]", ()),
    ("[NH2:1][Cl:2]", ()),
    ("[OH:1][OH:2]", ()),
    ("[O:1]=[O:2]", ((3, 3),)),
    ("[OH:1][SH:2]", ()),
    ("O=[S:1]=[O:2]", ((3, 3),)),
    ("[OH:1][F:2]", ()),
    ("[OH:1][Cl:2]", ()),
    ("[SH:1][SH:2]", ()),
    ("[S:1]=[S:2]", ((3, 3),)),
    ("F[S:1][F:2]", ()),
    ("Cl[S:1][Cl:2]", ()),
    ("[F:1][F:2]", ()),
    ("[F:1][Cl:2]", ()),
    ("[Cl:1][Cl:2]", ()),
    ("O=[C:1]=[O:2]", ((1, 3),)),
    ("[N-]=[N+:1]=[O:2]", ((1, 3),)),
    ("C=[CH:1][H:2]", ()),
    ("C#[C:1][H:2]", ()),
    ("N#[C:1][H:2]", ()),
    ("O=[CH:1][H:2]", ()),
    ("C[CH2:1][H:2]", ()),
    ("OC[O:1][H:2]", ()),
    ("C[O:1][H:2]", ()),
    ("O[CH2:1][H:2]", ()),
    ("C[NH:1][H:2]", ()),
    ("C[S:1][H:2]", ()),
    ("C[CH2:1][CH3:2]", ()),
    ("N#[C:1][CH3:2]", ()),
    ("S=[CH:1][CH3:2]", ()),
    ("O=[CH:1][NH2:2]", ()),
    ("O=[CH:1][OH:2]", ()),
    ("C[O:1][CH3:2]", ()),
    ("C[CH2:1][OH:2]", ()),
    ("C=[CH:1][CH3:2]", ()),
    ("C[CH:1]=[CH2:2]", ()),
    ("C[NH:1][CH3:2]", ()),
    ("O=[N:1][OH:2]", ()),
    ("[N:1](=O)[H:2]", ()),
    ("S=[C:1]=[S:2]", ((1, 3),)),
    ("O=[C:1]=[S:2]", ((1, 3),)),
)

TRIPLET_BONDS = ("[O:1]=[O:2]", "[S:1]=[S:2]")
"""Of `BONDS`, those of molecules whose ground state is a triplet."""

REACTIONS = (
    # reactant, product; the same atoms. A multiplicity of 2 where one of them is a radical.
    "C1CS1>>CC=S C=CS>>CC=S C1CO1>>C=CO COC>>CCO NC=O>>N=CO C#N>>[C-]#[NH+] CC#N>>C[N+]#[C-] CC#N>>C=C=N "
    "C=C=C>>CC#C CC#C>>C1=CC1 C=C=C>>C1=CC1 CC=C>>C1CC1 N=C=O>>OC#N N=C=O>>C#[N+][O-] OC=O>>O=C=O.[H][H] "
    "OC=O>>[C-]#[O+].O C=O>>[C-]#[O+].[H][H] CC>>C=C.[H][H] C=C>>C#C.[H][H] CCO>>C=C.O CCF>>C=C.F "
    "CCCl>>C=C.Cl CCN>>C=C.N C=CF>>C#C.F C=CCl>>C#C.Cl CO>>C=O.[H][H] CN>>C=N.[H][H] C=N>>C#N.[H][H] "
    "NC=O>>N.[C-]#[O+] O=CF>>F.[C-]#[O+] O=CCl>>Cl.[C-]#[O+] CS>>C=S.[H][H] N=N>>N#N.[H][H] COO>>C=O.O "
    "ON=O>>[O-][NH+]=O CNC>>CCN C=NC>>CC=N CSC>>CCS NN>>N=N.[H][H] NO>>N=O.[H][H] SC=O>>OC=S "
    "CC=C=O>>C=CC=O CON>>CNO OCC=O>>OC=CO C=CC>>CC=C CSF>>C=S.F CSS>>C=S.S CN=C>>C=NC CSC=O>>SCC=O "
    "C=C(F)O>>CC(F)=O NC=S>>N=CS C1CS1>>C=CS C=O.O>>OCO N.C=O>>NCO Cl.C=O>>OCCl S.C=O>>OCS "
    "O=C=O.N>>NC(=O)O N#N.[H][H]>>N=N CC(C)=O>>CC(O)=C CC=CC>>C=CCC C=CC=C>>C1=CCC1 C=CC=O>>C1=COC1 "
    "OC#N>>N=C=O"
).split()
RADICAL_REACTIONS = (
    "C.[OH]>>[CH3].O C.[H]>>[CH3].[H][H] [OH].[H][H]>>O.[H] C.[Cl]>>[CH3].Cl C.[F]>>[CH3].F "
    "CO.[H]>>[CH2]O.[H][H] CO.[CH3]>>[CH2]O.C C.[CH3]>>[CH3].C C=C.[H]>>C[CH2] C=C.[CH3]>>CC[CH2] "
    "C=O.[H]>>C[O] C[O]>>[CH2]O C=C.[OH]>>OC[CH2] N.[OH]>>[NH2].O N.[H]>>[NH2].[H][H] S.[H]>>[SH].[H][H] "
    "C#C.[H]>>C=[CH] C=O.[OH]>>O=[CH].O CC.[H]>>C[CH2].[H][H] CN.[H]>>[CH2]N.[H][H] CS.[H]>>C[S].[H][H] "
    "O.[OH]>>[OH].O N.[NH2]>>[NH2].N [H].[H][H]>>[H][H].[H] ClCl.[H]>>Cl.[Cl] FF.[H]>>F.[F] "
    "Cl.[H]>>[Cl].[H][H] C=C.[F]>>FC[CH2] C=C.[Cl]>>ClC[CH2]"
).split()

PARTNERS = (
    "O N C CO CN C=O F Cl S C#C C=C C#N N#N CC [H][H] CF CCl CS NC=O OC=O CC#N O=C=O OO NN CC=S COC FF "
    "ClCl C=N C#CC C=CC N=C=O CCO O=S=O [C-]#[O+]"
).split()
"""Molecules of the dimers; every pair of them once, in an order that gives each its turn."""
